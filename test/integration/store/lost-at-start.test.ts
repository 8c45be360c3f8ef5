import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { createOperator, HoldfastError } from "holdfast";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { application } from "../../support/application.ts";
import { testEnvironment } from "../../support/service.ts";

/** A proxy to Redis that ends all connections, and takes no more, behind so many replies. */
async function startCutting(after: number): Promise<string> {
  const { hostname, port } = new URL(inject("redisUrl"));
  const sockets = new Set<Socket>();
  let replies = 0;
  const end = () => {
    for (const socket of sockets) socket.end();
    server.close();
  };
  const server = createServer((client) => {
    const store = connect(Number(port), hostname);
    for (const socket of [client, store]) sockets.add(socket.on("error", () => {}));
    client.pipe(store);
    store.on("data", (chunk) => {
      replies += 1;
      client.write(chunk);
      if (replies >= after) end();
    });
  }).listen(0, "127.0.0.1");
  onTestFinished(end);
  await once(server, "listening");
  return `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function codeOf(work: Promise<{ stop(): Promise<void> }>): Promise<string> {
  try {
    await (await work).stop();
    return "started";
  } catch (error) {
    return error instanceof HoldfastError ? error.code : String(error);
  }
}

describe("a start whose connection is lost", () => {
  it.each(Array.from({ length: 8 }, (_, index) => index + 2))(
    "behind reply %i says that Redis cannot be reached, never what its client calls that",
    async (after) => {
      const url = await startCutting(after);
      // Keys of encryption load a module, so that there is time in which nothing is asked.

      const code = await codeOf(
        createOperator(
          application,
          testEnvironment({
            REDIS_URL: url,
            HOLDFAST_ENCRYPTION_KEYS: `a:${randomBytes(32).toString("base64")}`,
          }),
        ),
      );

      expect(["started", "STORE_UNAVAILABLE"]).toContain(code);
    },
  );
});
