import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "./test-scope.ts";

/** A proxy to Redis that can make single connections hang. */
export interface FreezingProxy {
  readonly url: string;
  /** From now on, connections that carry these texts in one packet hang, and so do all new ones. */
  freeze(...texts: readonly string[]): void;
  /** How many connections hang. */
  readonly frozen: number;
}

/** Ends with the test. */
export async function startFreezingProxy(storeUrl: string): Promise<FreezingProxy> {
  const { hostname, port } = new URL(storeUrl);
  const sockets = new Set<Socket>();
  let marks: readonly string[] | undefined;
  let frozen = 0;
  const server = createServer((client) => {
    const store = connect(Number(port), hostname);
    let isFrozen = marks !== undefined;
    if (isFrozen) frozen += 1;
    client.on("data", (chunk) => {
      if (!isFrozen && marks?.every((mark) => chunk.includes(mark))) {
        isFrozen = true;
        frozen += 1;
      }
      if (!isFrozen) store.write(chunk);
    });
    store.on("data", (chunk) => {
      if (!isFrozen) client.write(chunk);
    });
    for (const [socket, other] of [
      [client, store],
      [store, client],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => other.destroy());
    }
  }).listen(0, "127.0.0.1");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server, "listening");
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    freeze(...texts) {
      marks = texts;
    },
    get frozen() {
      return frozen;
    },
  };
}
