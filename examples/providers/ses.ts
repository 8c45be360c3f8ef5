// Amazon SES: it knows no idempotency key, so a mail in doubt is held for a person.
import { SESClient, type SESClientConfig, SendEmailCommand } from "@aws-sdk/client-ses";
import { defineJob } from "holdfast";
import { aws } from "holdfast/evidence";
import { z } from "zod";

// #region contract
export const sendReceipt = defineJob({
  type: "send-receipt",
  payload: z.strictObject({ to: z.email(), text: z.string() }),
  result: z.strictObject({ messageId: z.string() }),
  retry: { attempts: 5, backoff: { kind: "exponential", delayMs: 1_000 } },
  timeoutMs: 60_000,
  effects: { mail: { timeoutMs: 20_000, inDoubt: "hold", classify: aws } },
});
// #endregion

// #region handler
export function openSes(options: SESClientConfig = {}): SESClient {
  return new SESClient({ maxAttempts: 1, ...options });
}

export const sendReceiptHandler = (client: SESClient) =>
  sendReceipt.handler(async ({ payload: { to, text }, effect }) => {
    // Outside of the effect: a request for credentials would look like a part of it.
    await client.config.credentials();
    const messageId = await effect(
      "mail",
      async ({ key, signal }) => {
        const command = new SendEmailCommand({
          Source: "shop@example.com",
          Destination: { ToAddresses: [to] },
          Message: { Subject: { Data: "Your receipt" }, Body: { Text: { Data: text } } },
          // Shown by the events of a configuration set: what a person looks for in doubt.
          Tags: [{ Name: "effect", Value: key }],
        });
        return (await client.send(command, { abortSignal: signal })).MessageId;
      },
      { assumedResult: () => "resolved by hand" },
    );
    return { messageId: messageId ?? "unknown" };
  });
// #endregion
