// Any mail server, by nodemailer.
import { defineJob } from "holdfast";
import { smtp } from "holdfast/evidence";
import { createTransport, type Transporter } from "nodemailer";
import { z } from "zod";

// #region contract
export const inviteUser = defineJob({
  type: "invite-user",
  payload: z.strictObject({ to: z.email(), link: z.url() }),
  result: z.strictObject({ messageId: z.string() }),
  retry: { attempts: 5, backoff: { kind: "exponential", delayMs: 1_000 } },
  timeoutMs: 60_000,
  effects: { mail: { timeoutMs: 30_000, inDoubt: "hold", classify: smtp } },
});
// #endregion

// #region handler
/** Without `pool`: each mail has a connection of its own. */
export function openMail(url: string): Transporter {
  return createTransport({ url, connectionTimeout: 5_000, greetingTimeout: 5_000, socketTimeout: 10_000 });
}

const messageIdOf = (key: string) => `<${key}@shop.example>`;

export const inviteUserHandler = (mail: Transporter) =>
  inviteUser.handler(async ({ payload: { to, link }, effect }) => {
    const messageId = await effect(
      "mail",
      async ({ key, signal }) => {
        const message = { from: "shop@example.com", to, subject: "You are invited", text: link };
        await mail.sendMail({ ...message, messageId: messageIdOf(key), signal });
        return messageIdOf(key);
      },
      { assumedResult: ({ key }) => messageIdOf(key) },
    );
    return { messageId };
  });
// #endregion
