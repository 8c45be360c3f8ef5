import type { Redis } from "ioredis";
import { expect, inject, it, onTestFinished } from "vitest";
import { openConnection, whenReady } from "../../../src/platform/redis/connection.ts";

/** Longer than a silence after which a connection is given up, in milliseconds. */
const BLOCKED_MS = 2_500;
const nobodyNotifies = new Int32Array(new SharedArrayBuffer(4));

it("reads what came while the process was busy, before it takes Redis for silent", async () => {
  const client = openConnection(inject("redisUrl"), "fail-fast", () => {}) as Redis;
  onTestFinished(() => client.disconnect());
  await whenReady(client, 5_000);
  const closed: unknown[] = [];
  client.on("close", () => closed.push("close"));

  const reply = client.echo("a text");
  Atomics.wait(nobodyNotifies, 0, 0, BLOCKED_MS);

  expect(await reply).toBe("a text");
  expect(await client.echo("another")).toBe("another");
  expect(closed).toEqual([]);
});
