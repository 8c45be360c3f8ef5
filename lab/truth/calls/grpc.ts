import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { grpc } from "../inside/evidence.ts";
import { type Calls, order, type Target } from "./call.ts";

const write = (value: object) => Buffer.from(JSON.stringify(value));
const read = (bytes: Buffer) => JSON.parse(bytes.toString()) as { id: string };

/** Makes the call over a client that may have others. */
export function callOnce(client: Client, { timeoutMs }: Target): Promise<unknown> {
  const deadline = Date.now() + timeoutMs;
  return new Promise<unknown>((resolve, reject) => {
    const onEnd = (error: ServiceError | null, answer?: { id: string }) => {
      if (error === null) resolve(answer?.id);
      else reject(error);
    };
    client.makeUnaryRequest("/shop.Orders/Make", write, read, order, { deadline }, onEnd);
  });
}

function send(target: Target, options = {}): Promise<unknown> {
  const client = new Client(`${target.host}:${target.port}`, credentials.createInsecure(), options);
  return callOnce(client, target).finally(() => client.close());
}

export const calls: Calls = {
  asIs: (target) => send(target),
  asDocumented: (target) => send(target, { "grpc.enable_retries": 0 }),
  classify: grpc,
};
