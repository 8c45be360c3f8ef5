import { mailer } from "../mailer.ts";
import { composeWelcomeEmail } from "./compose.ts";
import { welcomeEmail } from "./contract.ts";

export const welcomeEmailHandler = welcomeEmail.handler(async ({ payload, jobId, signal, log }) => {
  const { messageId } = await mailer.send(composeWelcomeEmail(payload, jobId), signal);
  log.info("welcome email sent", { messageId });
  return { messageId };
});
