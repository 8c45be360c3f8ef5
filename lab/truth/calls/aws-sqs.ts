import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { aws } from "../inside/evidence.ts";
import { awsOptions } from "./aws-options.ts";
import { type Calls, order, type Target, urlOf } from "./call.ts";

async function send(target: Target, options = {}): Promise<unknown> {
  const client = new SQSClient({ ...awsOptions(target), ...options });
  const message = { QueueUrl: `${urlOf(target)}/1/orders`, MessageBody: JSON.stringify(order) };
  const sent = await client.send(new SendMessageCommand(message), {
    ...(target.signal && { abortSignal: target.signal }),
  });
  return sent.MessageId;
}

export const calls: Calls = {
  asIs: (target) => send(target),
  asDocumented: (target) => send(target, { maxAttempts: 1 }),
  classify: aws,
};
