import { Client, type ClientWritableStream, credentials, type ServiceError } from "@grpc/grpc-js";
import { grpc } from "../inside/evidence.ts";
import { type Calls, order, type Target } from "./call.ts";
import { Kept } from "./kept.ts";

interface Begun {
  readonly stream: ClientWritableStream<object>;
  readonly answer: Promise<unknown>;
}

const kept = new Kept<Begun>();
const write = (value: object) => Buffer.from(JSON.stringify(value));
const read = (bytes: Buffer) => JSON.parse(bytes.toString()) as { id: string };

function begin(client: Client, { timeoutMs }: Target): Begun {
  let resolve = (_: unknown) => {};
  let reject = (_: unknown) => {};
  const answer = new Promise<unknown>((...ends) => {
    [resolve, reject] = ends;
  });
  const onEnd = (error: ServiceError | null, value?: { id: string }) => {
    client.close();
    if (error === null) resolve(value?.id);
    else reject(error);
  };
  const deadline = Date.now() + timeoutMs;
  const stream = client.makeClientStreamRequest("/shop.Orders/Make", write, read, { deadline }, onEnd);
  answer.catch(() => {});
  return { stream, answer };
}

const open = ({ host, port }: Target) => new Client(`${host}:${port}`, credentials.createInsecure());

/** Sends a message on a stream that was begun before. */
async function send(target: Target): Promise<unknown> {
  const { stream, answer } = kept.of(target.port, () => begin(open(target), target));
  stream.write(order);
  stream.end();
  return await answer;
}

async function warmUp(target: Target): Promise<unknown> {
  const client = open(target);
  await new Promise((resolve) => client.waitForReady(Date.now() + target.timeoutMs, resolve));
  return kept.keep(target.port, begin(client, target)).stream;
}

export const calls: Calls = { asIs: send, asDocumented: send, warmUp, classify: grpc };
