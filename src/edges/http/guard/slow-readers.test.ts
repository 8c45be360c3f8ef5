import { once } from "node:events";
import { connect } from "node:net";
import { Readable } from "node:stream";
import fastify from "fastify";
import { describe, expect, it, onTestFinished } from "vitest";
import { until } from "../../../../test/support/until.ts";
import { boundUnread } from "./slow-readers.ts";
import { takeTurns } from "./turns.ts";

const MIB = 1024 * 1024;
const ANSWER = "x".repeat(8 * MIB);

function* endless() {
  for (;;) yield ANSWER;
}

async function serve(bytes: number) {
  const server = fastify({ forceCloseConnections: true });
  takeTurns(server);
  boundUnread(server, { bytes, graceMs: 100 });
  let answered = 0;
  server.get("/", async () => {
    answered += 1;
    return ANSWER;
  });
  server.get("/streamed", async () => {
    answered += 1;
    return Readable.from(endless(), { objectMode: false });
  });
  const url = await server.listen({ port: 0, host: "127.0.0.1" });
  onTestFinished(() => server.close());
  const port = Number(new URL(url).port);
  const connections = () =>
    new Promise<number>((resolve) => server.server.getConnections((_, count) => resolve(count)));
  return { port, connections, answered: () => answered };
}

/** Sends a request and reads nothing. */
async function openSlowReader(port: number, path = "/", requests = 1): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  socket.pause();
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(requests));
}

describe("clients that do not read their answers", () => {
  it("are disconnected, slowest first, while they hold too much together; others are served", async () => {
    const { port, connections, answered } = await serve(24 * MIB);
    for (let opened = 1; opened <= 12; opened++) await openSlowReader(port);
    await until("all were answered", async () => answered() === 12);

    await until("only as many are left as may be", async () => (await connections()) <= 3);

    const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } });
    expect((await answer.text()).length).toBe(ANSWER.length);
    expect(await connections()).toBeGreaterThan(0);
  });

  it("are left alone below that, and answers that were read do not count", async () => {
    const { port, connections } = await serve(24 * MIB);
    await openSlowReader(port);
    for (let read = 0; read < 6; read++) {
      const answer = await (await fetch(`http://127.0.0.1:${port}/`)).text();
      expect(answer.length).toBe(ANSWER.length);
    }

    expect(await connections()).toBeGreaterThan(0);
  });

  it("are disconnected also when their answers are streamed, and when a connection has sent many requests at once", async () => {
    const { port, connections, answered } = await serve(24 * MIB);
    for (let opened = 1; opened <= 6; opened++) await openSlowReader(port, "/streamed");
    await openSlowReader(port, "/", 6);
    await until("each connection was answered once", async () => answered() === 7);

    await until("only as many are left as may be", async () => (await connections()) <= 2);
    expect(answered()).toBe(7);
  });
});
