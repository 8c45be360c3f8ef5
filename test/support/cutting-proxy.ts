import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "./test-scope.ts";

/** A proxy to Redis that cuts all connections after so many requests, and accepts no others. */
export interface CuttingProxy {
  readonly url: string;
  /** @param requests how many pass, of all connections; Infinity mends it */
  cutAfter(requests: number): void;
  /** Whether it has cut since then. */
  hasCut(): boolean;
}

/** Ends with the test. */
export async function startCuttingProxy(storeUrl: string): Promise<CuttingProxy> {
  const { hostname, port } = new URL(storeUrl);
  const sockets = new Set<Socket>();
  let left = Number.POSITIVE_INFINITY;
  const cut = () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  const server = createServer((client) => {
    const store = connect(Number(port), hostname);
    for (const socket of [client, store]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => [client, store].map((one) => one.destroy()));
    }
    if (left < 0) cut();
    client.on("data", (chunk) => {
      left -= 1;
      if (left < 0) cut();
      else store.write(chunk);
    });
    store.pipe(client);
  }).listen(0, "127.0.0.1");
  onTestFinished(() => {
    cut();
    server.close();
  });
  await once(server, "listening");
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cutAfter(requests) {
      left = requests;
    },
    hasCut: () => left < 0,
  };
}
