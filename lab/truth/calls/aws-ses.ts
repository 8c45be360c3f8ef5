import { SESClient, SendEmailCommand } from "@aws-sdk/client-ses";
import { aws } from "../inside/evidence.ts";
import { awsOptions } from "./aws-options.ts";
import type { Calls, Target } from "./call.ts";

const mail = new SendEmailCommand({
  Source: "shop@example.com",
  Destination: { ToAddresses: ["ann@example.com"] },
  Message: { Subject: { Data: "Your order" }, Body: { Text: { Data: "Coffee" } } },
});

async function send(target: Target, options = {}): Promise<unknown> {
  const client = new SESClient({ ...awsOptions(target), ...options });
  return (await client.send(mail, { ...(target.signal && { abortSignal: target.signal }) })).MessageId;
}

export const calls: Calls = {
  asIs: (target) => send(target),
  asDocumented: (target) => send(target, { maxAttempts: 1 }),
  classify: aws,
};
