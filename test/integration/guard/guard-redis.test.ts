import { createOperator, defineConfig } from "holdfast";
import {
  createGuard,
  defineEffect,
  type Guard,
  type GuardedEffect,
  InDoubtError,
  NotDoneError,
} from "holdfast/guard";
import { Redis } from "ioredis";
import { describe, expect, it, vi } from "vitest";
import { latch } from "../../support/latch.ts";
import { withProcesses } from "../../support/processes.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import { startReplyProxy } from "../../support/reply-proxy.ts";
import { testEnvironment } from "../../support/service.ts";
import { onTestFinished } from "../../support/test-scope.ts";
import { until } from "../../support/until.ts";

const PLACES = 8;
const act = defineEffect({ name: "act", timeoutMs: 3_000, inDoubt: "hold" });

async function openOwn() {
  const server = await startRedisServer();
  onTestFinished(() => server.stop());
  const env = testEnvironment({ REDIS_URL: server.url });
  const open = async (variables: object = {}) => {
    const guard = await createGuard({ effects: [act], env: { ...env, ...variables } });
    onTestFinished(() => guard.stop());
    return guard;
  };
  return { server, env, open };
}

/** After it, a call of the key asks Redis for nothing but its reservation. */
async function callInVain(guard: Guard, effect: GuardedEffect, key: string): Promise<void> {
  const refuse = async () => Promise.reject(new NotDoneError("not yet"));
  await expect(guard.once(effect, { key }, refuse)).rejects.toThrow("not yet");
}

async function untilReserved(url: string): Promise<void> {
  const client = new Redis(url);
  onTestFinished(() => client.disconnect());
  const [ledger = ""] = await client.keys("*:ledger:*");
  await until("it is reserved", async () => (await client.hget(ledger, "open")) === "1");
}

describe.concurrent("a guard whose Redis fails", withProcesses, () => {
  it("does not start on one that cannot keep what it acknowledges", async () => {
    const server = await startRedisServer({ args: ["--appendonly", "no"] });
    onTestFinished(() => server.stop());
    const env = testEnvironment({ REDIS_URL: server.url });
    await expect(createGuard({ effects: [act], env })).rejects.toMatchObject({ code: "STORE_UNFIT" });
  });

  it("begins nothing while it is away, and goes on with it", async () => {
    const { server, open } = await openOwn();
    const guard = await open();
    const run = vi.fn(async () => 1);
    await guard.once(act, { key: "before" }, run);
    await server.kill();
    await expect(guard.once(act, { key: "k" }, run)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(run).toHaveBeenCalledTimes(1);
    await server.restart();
    await until("it runs", () => guard.once(act, { key: "k" }, run).catch(() => false));
    expect(run).toHaveBeenCalledTimes(2);
  });

  it("is not left in doubt by a reservation whose reply was lost", async () => {
    const { server, env, open } = await openOwn();
    const proxy = await startReplyProxy(server.url);
    const guard = await open({ REDIS_URL: proxy.url });
    const run = vi.fn(async () => 1);
    await callInVain(guard, act, "lost");
    proxy.holdBack((sent) => sent.includes("evalsha"));
    const lost = guard.once(act, { key: "lost" }, run).catch((error: unknown) => error);
    await untilReserved(server.url);
    expect(await lost).toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(run).not.toHaveBeenCalled();
    proxy.pass();

    const other = await open({ REDIS_URL: env.REDIS_URL });
    expect(await other.once(act, { key: "lost", waitMs: 10_000 }, run)).toBe(1);
  });

  it("holds no key after it has stopped at once behind a reservation whose reply was lost", async () => {
    const { server, env, open } = await openOwn();
    const proxy = await startReplyProxy(server.url);
    const slow = defineEffect({ name: "act", timeoutMs: 600_000, inDoubt: "hold" });
    const guard = await createGuard({ effects: [slow], env: { ...env, REDIS_URL: proxy.url } });
    const run = vi.fn(async () => 1);
    await callInVain(guard, slow, "lost");
    proxy.holdBack((sent) => sent.includes("evalsha"));
    const lost = guard.once(slow, { key: "lost" }, run).catch((error: unknown) => error);
    await untilReserved(server.url);
    proxy.cut();
    expect(await lost).toMatchObject({ code: "STORE_UNAVAILABLE" });
    await guard.stop();

    const other = await open();
    expect(await other.once(act, { key: "lost" }, run)).toBe(1);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it("stops although Redis is away, in which its reservation may be", async () => {
    const { server, env } = await openOwn();
    const slow = defineEffect({ name: "act", timeoutMs: 600_000, inDoubt: "hold" });
    const guard = await createGuard({ effects: [slow], env });
    await server.kill();
    await expect(guard.once(slow, { key: "k" }, async () => 1)).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
    });
    await guard.stop();
  });

  it("says that nobody can know where the report is lost with Redis", async () => {
    const { server, open } = await openOwn();
    const guard = await open();
    const [begun, end] = [latch(), latch()];
    const running = guard
      .once(act, { key: "k" }, async () => {
        begun.open();
        await end.opened;
        return 1;
      })
      .catch((error: unknown) => error);
    await begun.opened;
    await server.kill();
    end.open();
    expect(await running).toBeInstanceOf(InDoubtError);
    await server.restart();
    const later = await open();
    const run = vi.fn(async () => 2);
    await expect(later.once(act, { key: "k", waitMs: 10_000 }, run)).rejects.toBeInstanceOf(InDoubtError);
    expect(run).not.toHaveBeenCalled();
  });

  it("does not say that what JSON cannot hold is recorded where the report is lost with Redis", async () => {
    const { server, open } = await openOwn();
    const guard = await open();
    const running = guard.once(act, { key: "k" }, async () => {
      await server.kill();
      return 5n;
    });
    await expect(running).rejects.toBeInstanceOf(InDoubtError);
  });

  it("reports what is done when Redis comes back in time", async () => {
    const { server, env, open } = await openOwn();
    const slow = defineEffect({ name: "act", timeoutMs: 60_000, inDoubt: "hold" });
    const guard = await createGuard({ effects: [slow], env });
    onTestFinished(() => guard.stop());
    const killed = latch();
    const running = guard.once(slow, { key: "k" }, async () => {
      await server.kill();
      killed.open();
      return 1;
    });
    await killed.opened;
    await server.restart();
    expect(await running).toBe(1);
    const other = await open();
    expect(await other.once(act, { key: "k" }, async () => 2)).toBe(1);
  });

  it("begins nothing once Redis has lost data, puts what runs in doubt, and goes on when that is accepted", async () => {
    const { server, env, open } = await openOwn();
    const guard = await open();
    await guard.once(act, { key: "reported" }, async () => 1);
    await callInVain(guard, act, "released");
    const [begun, end] = [latch(), latch()];
    const running = guard
      .once(act, { key: "k" }, async () => {
        begun.open();
        await end.opened;
        return 1;
      })
      .catch((error: unknown) => error);
    await begun.opened;
    const redis = new Redis(server.url);
    onTestFinished(() => redis.disconnect());
    await redis.flushall();

    const run = vi.fn(async () => 2);
    await expect(guard.once(act, { key: "k" }, run)).rejects.toMatchObject({ code: "STORE_ROLLED_BACK" });
    end.open();
    expect(await running).toBeInstanceOf(InDoubtError);
    const operator = await createOperator(defineConfig({ jobs: [] }), env);
    onTestFinished(() => operator.stop());
    // Each place is found within two seconds.
    const accepted = new Set<string>();
    await until("the loss of all is accepted", async () => {
      for (const name of await operator.acceptLoss({ evidence: "emptied", by: "ann" })) accepted.add(name);
      return accepted.size === PLACES;
    });
    await until("effects begin", () => guard.once(act, { key: "new" }, run).catch(() => false));
    await expect(guard.once(act, { key: "k" }, run)).rejects.toBeInstanceOf(InDoubtError);
    expect(run).toHaveBeenCalledTimes(1);
    // What was reported before has left nobody in the middle.
    expect(await operator.doubts(0, 10)).toHaveLength(1);
  });

  it("begins nothing that another process has done once Redis has lost it, though it has never called anything itself", async () => {
    const { server, open } = await openOwn();
    const [idle, guard] = [await open(), await open()];
    const keys = Array.from({ length: 40 }, (_, index) => `key-${index}`);
    await Promise.all(keys.map((key) => guard.once(act, { key }, async () => 1)));
    await guard.stop();
    const redis = new Redis(server.url);
    onTestFinished(() => redis.disconnect());
    await redis.flushall();

    const run = vi.fn(async () => 2);
    const again = await Promise.allSettled(keys.map((key) => idle.once(act, { key }, run)));
    const rolledBack = { status: "rejected", reason: { code: "STORE_ROLLED_BACK" } };
    expect(again).toMatchObject(keys.map(() => rolledBack));
    expect(run).not.toHaveBeenCalled();
  });

  it("asks Redis seldom while a call waits", async () => {
    const { server, open } = await openOwn();
    const guard = await open();
    const redis = new Redis(server.url);
    onTestFinished(() => redis.disconnect());
    const scripts = async () =>
      Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.info("commandstats"))?.[1] ?? 0);
    const [begun, end] = [latch(), latch()];
    const running = guard.once(act, { key: "k" }, async () => {
      begun.open();
      await end.opened;
      return 1;
    });
    await begun.opened;
    const before = await scripts();

    await expect(guard.once(act, { key: "k", waitMs: 1_000 }, async () => 2)).rejects.toMatchObject({
      code: "EFFECT_BUSY",
    });

    expect((await scripts()) - before).toBeLessThan(50);
    end.open();
    await running;
  });
});
