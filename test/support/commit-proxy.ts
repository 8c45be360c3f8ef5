import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "./test-scope.ts";

/** A proxy to PostgreSQL that breaks connections at a commit. */
export interface CommitProxy {
  readonly url: string;
  /** Breaks the connection of the next commit: before PostgreSQL gets it, or instead of its reply. */
  breakNext(when: "before the commit" | "after the commit"): void;
  /** Whether it has broken a connection since. */
  readonly hasBroken: boolean;
}

/** Ends with the test. */
export async function startCommitProxy(databaseUrl: string): Promise<CommitProxy> {
  const to = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let next: Parameters<CommitProxy["breakNext"]>[0] | undefined;
  const server = createServer((client) => {
    const upstream = connect(Number(to.port), to.hostname);
    let isCommitting = false;
    client.on("data", (chunk) => {
      isCommitting = next !== undefined && /commit\0/i.test(chunk.toString("latin1"));
      if (isCommitting && next === "before the commit") breakOff();
      else upstream.write(chunk);
    });
    upstream.on("data", (chunk) => {
      if (isCommitting) breakOff();
      else client.write(chunk);
    });
    function breakOff() {
      next = undefined;
      client.destroy();
    }
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket.on("error", () => {}));
      socket.on("close", () => other.destroy());
    }
  }).listen(0, "127.0.0.1");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server, "listening");
  const url = new URL(databaseUrl);
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    breakNext(when) {
      next = when;
    },
    get hasBroken() {
      return next === undefined;
    },
  };
}
