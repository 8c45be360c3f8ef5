import { readEnv } from "holdfast";
import { env } from "../env.ts";
import { parseRanges, resolvePublic } from "./address-guard.ts";
import { classifyAnswer, requireAccepted } from "./answer.ts";
import { webhook } from "./contract.ts";
import { post } from "./post.ts";
import { readSecret, signatureHeaders } from "./sign.ts";
import { traceHeaders } from "./trace.ts";

export const webhookHandler = webhook.handler(async ({ payload, effect, log }) => {
  const variables = readEnv(env);
  const secret = readSecret(variables);
  const allowed = parseRanges(variables.WEBHOOK_ALLOW);
  const url = new URL(payload.url);
  const body = JSON.stringify(payload.event);

  const { status } = await effect(
    "deliver",
    async ({ key, signal }) => {
      const addresses = await resolvePublic(url, allowed);
      const headers = {
        "content-type": "application/json",
        "user-agent": "Holdfast",
        "idempotency-key": key,
        ...traceHeaders(),
        ...signatureHeaders(secret, key, new Date(), body),
      };
      const answer = await post(url, addresses, headers, body, signal);
      requireAccepted(answer);
      return { status: answer.status };
    },
    { classify: classifyAnswer, assumedResult: () => ({ status: null }) },
  );
  log.info("webhook delivered", { host: url.host, status });
  return { status };
});
