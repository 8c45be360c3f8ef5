import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { aws } from "../inside/evidence.ts";
import { awsOptions } from "./aws-options.ts";
import { type Calls, order, type Target } from "./call.ts";

const object = { Bucket: "orders", Key: "coffee", Body: JSON.stringify(order) };

async function send(target: Target, options = {}): Promise<unknown> {
  const client = new S3Client({ ...awsOptions(target), forcePathStyle: true, ...options });
  const sent = await client.send(new PutObjectCommand(object), {
    ...(target.signal && { abortSignal: target.signal }),
  });
  return sent.ETag;
}

export const calls: Calls = {
  asIs: (target) => send(target),
  asDocumented: (target) => send(target, { maxAttempts: 1 }),
  classify: aws,
};
