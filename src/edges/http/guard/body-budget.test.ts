import { once } from "node:events";
import { type AddressInfo, connect, type Socket } from "node:net";
import fastify from "fastify";
import { describe, expect, it, onTestFinished } from "vitest";
import { until } from "../../../../test/support/until.ts";
import { readJsonBodies } from "../body/json-body.ts";
import { boundBodies } from "./body-budget.ts";

const KIB = 1024;

async function serve(graceMs: number) {
  const server = fastify({ bodyLimit: 100 * KIB });
  boundBodies(server, { bytes: 100 * KIB, freeBytes: 10 * KIB, graceMs });
  readJsonBodies(server);
  server.post("/", async () => "read");
  await server.listen({ port: 0, host: "127.0.0.1" });
  onTestFinished(() => {
    server.server.closeAllConnections();
    return server.close();
  });
  const { port } = server.server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/`;
  const submit = async (kib: number) => {
    const body = JSON.stringify("x".repeat(kib * KIB));
    const answer = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    return answer.status;
  };
  /** A client that has sent all of a body but its end. */
  async function openHalf(kib: number): Promise<{ readonly socket: Socket; answer(): string }> {
    const socket = connect(port, "127.0.0.1");
    let received = "";
    socket.on("data", (chunk) => {
      received += chunk;
    });
    socket.on("error", () => {});
    onTestFinished(() => void socket.destroy());
    await once(socket, "connect");
    socket.write(
      `POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${kib * KIB + 2}\r\n\r\n"${"x".repeat(kib * KIB)}`,
    );
    return { socket, answer: () => received };
  }
  return { submit, openHalf };
}

describe("bodies that are not there yet", () => {
  it("hold no more than the budget: the next one is refused, small ones are read, and room is free again", async () => {
    const { submit, openHalf } = await serve(60_000);
    const halves = [await openHalf(55), await openHalf(55)];
    await until("the budget is used up", async () => (await submit(30)) === 503);

    expect(await submit(9)).toBe(200);
    for (const { socket } of halves) socket.destroy();
    await until("the room is free", async () => (await submit(90)) === 200);
  });

  it("make room for others once their clients had the grace, oldest first", async () => {
    const { submit, openHalf } = await serve(50);
    const halves = [await openHalf(55), await openHalf(50)];

    await until("another is read", async () => (await submit(50)) === 200);

    await until("the oldest was refused", () => halves[0]?.answer().includes("TOO_MANY_BODIES"));
    expect(halves[1]?.answer()).toBe("");
  });

  it("count no longer once they are answered", async () => {
    const { submit } = await serve(60_000);

    for (let count = 0; count < 20; count++) expect(await submit(90)).toBe(200);
  });
});
