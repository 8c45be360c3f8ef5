import { once } from "node:events";
import { createServer, get, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { JobStatus } from "../../../core/job/job-status.ts";
import { EventStream, type EventStreamOptions, eventIdOf, statusEvent } from "./event-stream.ts";

/** Both ends of one stream. */
async function openBothEnds(options: EventStreamOptions = {}) {
  const server = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, "listening");
  const asked = once(server, "request") as Promise<[IncomingMessage, ServerResponse]>;
  const request = get({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", agent: false });
  onTestFinished(() => void request.destroy());
  const [, response] = await asked;
  const stream = new EventStream(response, statusEvent, options);
  const [received] = (await once(request, "response")) as [IncomingMessage];
  received.on("error", () => {});
  return { stream, response, received };
}

const statusOf = (progress: unknown): JobStatus => ({
  id: "default_0197b3c2-7c1e-7d3a-9a54-0123456789ab",
  type: "any",
  state: "active",
  attemptsMade: 0,
  maxAttempts: 3,
  tags: [],
  progress,
  submittedAt: "2026-01-01T00:00:00.000Z",
  startedAt: null,
  finishedAt: null,
  nextAttemptAt: null,
  result: null,
  error: null,
  effects: [],
});

const big = "x".repeat(1_048_576);

/** Sends until every buffer on the way is full. Resolves to how many states that took. */
async function writeUntilBlocked({ stream, response }: Awaited<ReturnType<typeof openBothEnds>>) {
  let sent = 0;
  while (!response.writableNeedDrain) {
    sent += 1;
    stream.send(statusOf(`${sent} ${big}`));
    await new Promise(setImmediate);
  }
  return sent;
}

describe("a stream of events", () => {
  it("says how soon to reconnect, sends each state as one event, and ends with the given text", async () => {
    const { stream, received } = await openBothEnds();
    const [first, second] = [statusOf(1), statusOf("two\nlines")];

    stream.send(first);
    stream.send(second);
    stream.end(": over\n\n");

    const body = await text(received);
    expect(received.headers).toMatchObject({
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store, no-transform",
      "x-accel-buffering": "no",
      connection: "close",
    });
    expect(body).toMatch(/^retry: [1-5]\d{3}\n\n/);
    const events = body.split("\n\n").slice(1);
    expect(events).toEqual([
      `id: ${eventIdOf(first)}\nevent: status\ndata: ${JSON.stringify(first)}`,
      `id: ${eventIdOf(second)}\nevent: status\ndata: ${JSON.stringify(second)}`,
      ": over",
      "",
    ]);
  });

  it("sends heartbeats while nothing happens", async () => {
    const { received } = await openBothEnds({ heartbeatMs: 20 });
    let body = "";
    received.setEncoding("utf8").on("data", (chunk: string) => {
      body += chunk;
    });

    await vi.waitFor(() => expect(body).toMatch(/(: heartbeat\n\n){3}/), { timeout: 20_000 });
  });

  it("keeps only the newest state for a slow client", async () => {
    const ends = await openBothEnds();
    const sent = await writeUntilBlocked(ends);

    for (let more = 1; more <= 50; more += 1) ends.stream.send(statusOf(`${sent + more} ${big}`));

    expect(ends.response.writableLength).toBeLessThan(2 * big.length);
    const body = text(ends.received);
    await once(ends.response, "drain");
    await vi.waitFor(() => expect(ends.response.writableLength).toBe(0), { timeout: 20_000 });
    ends.stream.end("");
    const seen = [...(await body).matchAll(/"progress":"(\d+) /g)].map(([, progress]) => Number(progress));
    expect(seen).toEqual([...Array.from({ length: sent }, (_, index) => index + 1), sent + 50]);
  });

  it("still sends the end to a slow client, and nothing in between", async () => {
    const ends = await openBothEnds();
    const sent = await writeUntilBlocked(ends);
    ends.stream.send(statusOf(`${sent + 1} ${big}`));

    ends.stream.end(statusEvent(statusOf("last")));

    const body = await text(ends.received);
    expect(body.endsWith(statusEvent(statusOf("last")))).toBe(true);
    expect(body).not.toContain(`"progress":"${sent + 1} `);
  });

  it("disconnects a client that reads nothing for too long, even if the stream has ended", async () => {
    for (const ending of [false, true]) {
      const ends = await openBothEnds({ heartbeatMs: 20, blockedMaxMs: 50 });
      await writeUntilBlocked(ends);
      if (ending) ends.stream.end("");

      if (!ends.response.closed) await once(ends.response, "close");
      expect(ends.response.destroyed).toBe(true);
    }
  });
});

describe("an event's id", () => {
  it("is the same for equal statuses only", () => {
    expect(eventIdOf(statusOf(1))).toBe(eventIdOf(statusOf(1)));
    expect(eventIdOf(statusOf(1))).not.toBe(eventIdOf(statusOf(2)));
  });
});
