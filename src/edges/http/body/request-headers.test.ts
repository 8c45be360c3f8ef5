import { once } from "node:events";
import { createServer, type IncomingMessage, request } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { acceptsEventStream, preferredWaitSeconds, readKeyHeader } from "./request-headers.ts";

const server = createServer((_request, response) => response.end());

beforeAll(async () => {
  await once(server.listen(0, "127.0.0.1"), "listening");
});
afterAll(() => void server.close());

/** A request with these header values, byte for byte, as Node's server gives it. */
async function received(...values: readonly string[]): Promise<IncomingMessage> {
  const { port } = server.address() as AddressInfo;
  const headers = values.map((value) => Buffer.from(value, "utf8").toString("latin1"));
  const arrival = once(server, "request") as Promise<[IncomingMessage]>;
  const outgoing = request({ port, host: "127.0.0.1", headers: { "Idempotency-Key": headers } }).end();
  const [incoming] = await arrival;
  await once(outgoing, "response");
  return incoming;
}

const invalid = (message: string) =>
  expect.objectContaining({
    code: "IDEMPOTENCY_KEY_INVALID",
    issues: [{ pointer: "/idempotencyKey", message }],
  });

describe("the Idempotency-Key header", () => {
  it("may be absent", async () => {
    expect(readKeyHeader(await received())).toBeUndefined();
  });

  it.each([
    ["bare", "signup-42", "signup-42"],
    ["quoted", '"signup-42"', "signup-42"],
    ["quoted, with quotes and backslashes inside", String.raw`"say \"a\\b\""`, String.raw`say "a\b"`],
    ["bare, with a quote inside", 'a"b', 'a"b'],
    ["empty", "", ""],
    ["quoted and empty", '""', ""],
    ["beyond Latin-1", "ключ-🔑", "ключ-🔑"],
    ["quoted and beyond Latin-1", '"é"', "é"],
  ])("may be %s", async (_, sent, key) => {
    expect(readKeyHeader(await received(sent))).toBe(key);
  });

  it.each(['"', '"a', '"a"b"', '"a"; b=1', String.raw`"a\"`, String.raw`"a\b"`])(
    "must be quoted correctly if at all: not %s",
    async (sent) => {
      const incoming = await received(sent);

      expect(() => readKeyHeader(incoming)).toThrow(
        invalid("expected a closing quote in the Idempotency-Key header"),
      );
    },
  );

  it("may not be sent twice, not even with the same key", async () => {
    const incoming = await received("a", "a");

    expect(() => readKeyHeader(incoming)).toThrow(invalid("expected one Idempotency-Key header"));
  });

  it("must be UTF-8", async () => {
    const latin1 = { rawHeaders: ["Idempotency-Key", "\xe9"] } as unknown as IncomingMessage;

    expect(() => readKeyHeader(latin1)).toThrow(invalid("expected UTF-8 in the Idempotency-Key header"));
  });
});

describe("the Accept header", () => {
  it.each([
    "text/event-stream",
    "Text/Event-Stream",
    "text/event-stream, application/json",
    "application/json, text/event-stream",
    "application/json;q=0.5, text/event-stream;q=0.8",
    "text/event-stream;charset=utf-8, */*;q=0.1",
  ])("asks for a stream: %s", (accept) => {
    expect(acceptsEventStream(accept)).toBe(true);
  });

  it.each([
    undefined,
    "",
    "*/*",
    "text/*",
    "application/json",
    "text/event-stream;q=0",
    "text/event-stream;q=0.0",
    "text/event-stream;q=bad",
    "text/event-stream;q=0.5, application/json",
    "text/event-streams",
    "x-text/event-stream",
  ])("does not ask for a stream: %s", (accept) => {
    expect(acceptsEventStream(accept)).toBe(false);
  });
});

describe("the Prefer header", () => {
  it.each([
    ["wait=10", 10],
    ["wait=0", 0],
    ["WAIT=10", 10],
    [" wait = 10 ", 10],
    ['wait="10"', 10],
    ["wait=10; strictly", 10],
    ["respond-async, wait=10", 10],
    ['return="a, wait=5", wait=10', 10],
    ['note="say \\"hi\\", wait=5", wait=10', 10],
    ["wait=10, wait=20", 10],
  ])("says how long to wait: %s", (header, seconds) => {
    expect(preferredWaitSeconds(header)).toBe(seconds);
  });

  it.each(["wait=61", "wait=100000", `wait=${"9".repeat(400)}`])(
    "caps longer waits at a minute: %s",
    (header) => {
      expect(preferredWaitSeconds(header)).toBe(60);
    },
  );

  it.each([
    "",
    "wait",
    "wait=",
    "wait=soon",
    "wait=-1",
    "wait=1.5",
    "wait=1e1",
    "wait=0x10",
    'wait="10',
    "wait=10 20",
    "wait=ten, wait=10",
    "waiting=10",
    "await=10",
    "return=minimal; wait=10",
    "respond-async",
    "=10",
    `${"x,".repeat(1_000)}wait=10`,
  ])("is ignored if it is not valid: %s", (header) => {
    expect(preferredWaitSeconds(header)).toBeUndefined();
  });

  it("is parsed quickly, whatever it holds", () => {
    const before = process.cpuUsage(); // other tests run beside this one
    for (const part of ['"', '\\"', '"\\', ",", " ", "wait ", '"",']) {
      preferredWaitSeconds(part.repeat(1_024 / part.length));
    }
    expect(process.cpuUsage(before).user / 1_000).toBeLessThan(100);
  });
});
