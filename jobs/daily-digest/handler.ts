import { createOperator, defineConfig, readEnv } from "holdfast";
import { contracts } from "../contracts.ts";
import { env } from "../env.ts";
import { mailer } from "../mailer.ts";
import { type SmtpProgress, unlessBegun } from "../smtp-errors.ts";
import { collectDigest, type Digest, type Span } from "./collect.ts";
import { composeDigest, messageIdFrom } from "./compose.ts";
import { dailyDigest } from "./contract.ts";

/** For reading only. The real application would load this handler again. */
const application = defineConfig({ jobs: contracts, handlers: async () => [] });

export const dailyDigestHandler = dailyDigest.handler(async ({ payload, effect, log }) => {
  const digest = await readDigest({ from: new Date(payload.from), to: new Date(payload.to) });
  const to = readEnv(env).OPERATOR_EMAIL;
  const progress: SmtpProgress = { dataBegun: false };
  const { messageId } = await effect(
    "send",
    ({ key, signal }) => unlessBegun(progress, mailer.send(composeDigest(digest, to, key), signal, progress)),
    { assumedResult: ({ key }) => ({ messageId: messageIdFrom(key) }) },
  );
  log.info("daily digest sent", { messageId });
  return { messageId };
});

async function readDigest(span: Span): Promise<Digest> {
  await using operator = await createOperator(application);
  return await collectDigest(operator, application, span, new Date());
}
