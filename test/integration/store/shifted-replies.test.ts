import type { Redis } from "ioredis";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { type ConnectionMode, openConnection, whenReady } from "../../../src/platform/redis/connection.ts";
import { createEpoch, epochComparison, type SeenEpoch } from "../../../src/platform/redis/fitness/epoch.ts";
import { isUnanswered } from "../../../src/platform/redis/redis-errors.ts";
import { integer, listOf, text } from "../../../src/platform/redis/reply-shape.ts";
import { loadScript } from "../../../src/platform/redis/script.ts";
import { startReplyProxy } from "../../support/reply-proxy.ts";
import { until } from "../../support/until.ts";

const append = loadScript(import.meta.url, "../../support/fixtures/append.lua", integer);

/** A connection whose replies can be lost, and keys of its own. */
async function connect(mode: ConnectionMode) {
  const proxy = await startReplyProxy(inject("redisUrl"));
  const client = openConnection(proxy.url, mode, () => {}) as Redis;
  onTestFinished(() => client.disconnect());
  await whenReady(client, 5_000);
  const start = crypto.randomUUID();
  await client.set(`${start}:text`, "a text");
  return { proxy, client, start };
}

const whyNot = (reply: Promise<unknown>) =>
  reply.then(
    (value) => ({ value }),
    (error: unknown) => error,
  );

describe("a reply of another shape than the command's", () => {
  it.each<ConnectionMode>(["fail-fast", "retrying"])(
    "is not read, and ends the connection: %s",
    async (mode) => {
      const { proxy, client, start } = await connect(mode);
      const ended = new Promise((resolve) => client.once("close", resolve));
      const isLost = proxy.loseNext();
      const lost = whyNot(client.incr(`${start}:number`));
      await isLost;
      const behind = whyNot(client.get(`${start}:text`));

      expect(await lost).toSatisfy(isUnanswered);
      await ended;
      // What is sent again where nobody waits gets its own reply.
      if (mode === "retrying") expect(await behind).toEqual({ value: "a text" });
      else expect(await behind).toSatisfy(isUnanswered);
      await until("it is connected again", async () => (await whyNot(client.ping())) !== undefined);
      await whenReady(client, 5_000);
      expect(await client.get(`${start}:text`)).toBe("a text");
    },
  );

  it("is not read of a script or in a pipeline either, nor is what came with it in one piece", async () => {
    const { proxy, client, start } = await connect("fail-fast");
    const isLost = proxy.loseNext();
    const lost = whyNot(append.run(client, [`${start}:list`], ["x"]));
    await isLost;
    const behind = client.pipeline([
      ["get", `${start}:text`],
      ["get", `${start}:text`],
      ["get", `${start}:text`],
    ]);

    const replies = (await behind.exec()) ?? [];
    expect(await lost).toSatisfy(isUnanswered);
    expect(replies.map(([error]) => isUnanswered(error))).toEqual([true, true, true]);
  });

  it("may be one that no command has asked for", async () => {
    const { proxy, client, start } = await connect("fail-fast");
    const ended = new Promise((resolve) => client.once("close", resolve));
    proxy.add("+OK\r\n");
    await ended;
    await whenReady(client, 5_000);
    expect(await client.get(`${start}:text`)).toBe("a text");
  });
});

it("a list is read only if each of its items has its shape", () => {
  const shape = listOf(text);
  expect([shape([]), shape([Buffer.from("x")]), shape([Buffer.from("x"), 1]), shape("OK")]).toEqual([
    ...[true, true, false, false],
  ]);
});

describe("what was remembered of another command's reply", () => {
  const durability = { level: "disk", replicas: 0 } as const;
  const wrong: SeenEpoch = { id: "O", count: Number.NaN };

  async function openEpoch(client: Redis, key: string, remembered: SeenEpoch | undefined) {
    return createEpoch({
      compare: epochComparison(client, durability),
      key,
      durability,
      write: async (script, keys, args) => ({
        reply: await script.run(client, keys, args),
        unconfirmed: undefined,
      }),
      remembered,
      countOf: () => 0,
      layout: { known: () => "", first: "", agree: async () => "" },
      onLoss: async () => {},
    });
  }

  it("is no epoch, and no loss", async () => {
    const { client, start } = await connect("fail-fast");
    const first = await openEpoch(client, start, undefined);
    await first.check();
    const epoch = await openEpoch(client, start, wrong);
    await epoch.check();
    expect(epoch.remembered).toEqual(first.remembered);
  });

  it("marks no loss for ever where an earlier build has marked one", async () => {
    const { client, start } = await connect("fail-fast");
    const first = await openEpoch(client, start, undefined);
    await first.check();
    await client.hset(start, "count", 7);
    const marked = { id: "lost", since: "1", knownId: "O", knownCount: "nan", foundId: first.remembered.id };
    await client.hset(start, { ...marked, foundCount: "7" });

    await first.check();
    expect(first.remembered).toEqual({ id: first.remembered.id, count: 7 });
    expect(await client.hmget(start, "id", "knownId")).toEqual([first.remembered.id, null]);
  });

  it("hides no true loss", async () => {
    const { client, start } = await connect("fail-fast");
    const first = await openEpoch(client, start, undefined);
    await first.check();
    await client.hset(start, {
      id: "lost",
      since: "1",
      knownId: "other",
      knownCount: "9",
      foundId: "x",
      foundCount: "7",
    });
    await expect(first.check()).rejects.toMatchObject({ code: "STORE_ROLLED_BACK" });
  });
});
