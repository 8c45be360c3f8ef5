import { mailer } from "../mailer.ts";
import { type SmtpProgress, unlessBegun } from "../smtp-errors.ts";
import { composeWelcomeEmail, messageIdFrom } from "./compose.ts";
import { welcomeEmail } from "./contract.ts";

export const welcomeEmailHandler = welcomeEmail.handler(async ({ payload, effect, log }) => {
  const progress: SmtpProgress = { dataBegun: false };
  const { messageId } = await effect(
    "send",
    ({ key, signal }) =>
      unlessBegun(progress, mailer.send(composeWelcomeEmail(payload, key), signal, progress)),
    { assumedResult: ({ key }) => ({ messageId: messageIdFrom(key) }) },
  );
  log.info("welcome email sent", { messageId });
  return { messageId };
});
