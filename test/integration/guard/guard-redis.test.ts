import { randomUUID } from "node:crypto";
import { createOperator, defineConfig, HoldfastError, type Operator } from "holdfast";
import { createGuard, defineEffect, type Guard, InDoubtError } from "holdfast/guard";
import { Redis } from "ioredis";
import { describe, expect, inject, it, onTestFinished, vi } from "vitest";
import { type CuttingProxy, startCuttingProxy } from "../../support/cutting-proxy.ts";
import { latch } from "../../support/latch.ts";
import { withProcesses } from "../../support/processes.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import { startReplyProxy } from "../../support/reply-proxy.ts";
import { testEnvironment } from "../../support/service.ts";
import { until } from "../../support/until.ts";

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

interface Cut<Opened> {
  readonly open: () => Promise<Opened>;
  readonly use: (opened: Opened) => Promise<void>;
}

/** Cuts the connection after each of its requests in turn. */
async function cutEverywhere<Opened extends { stop(): Promise<void> }>(
  proxy: CuttingProxy,
  { open, use }: Cut<Opened>,
): Promise<void> {
  for (let requests = 0; ; requests += 1) {
    const opened = await open();
    proxy.cutAfter(requests);
    await use(opened).catch((error: unknown) => expect(error).toBeInstanceOf(HoldfastError));
    const hasCut = proxy.hasCut();
    await opened.stop().catch((error: unknown) => expect(error).toBeInstanceOf(HoldfastError));
    proxy.cutAfter(Number.POSITIVE_INFINITY);
    if (!hasCut) return expect(requests).toBeGreaterThan(3);
  }
}

function onlyInDoubt(error: unknown): void {
  if (!(error instanceof InDoubtError)) throw error;
}

describe("a guard whose Redis fails", withProcesses, () => {
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
    await guard.once(act, { key: "before" }, run);
    proxy.holdBack((sent) => sent.includes('"lost"') || sent.includes("evalsha"));
    await expect(guard.once(act, { key: "lost" }, run)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(run).toHaveBeenCalledTimes(1);
    proxy.pass();

    const other = await open({ REDIS_URL: env.REDIS_URL });
    expect(await other.once(act, { key: "lost", waitMs: 10_000 }, run)).toBe(1);
    expect(run).toHaveBeenCalledTimes(2);
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

  it("throws nothing but errors with a code, and rejects nothing unseen, wherever its connection is cut", async () => {
    const unseen: unknown[] = [];
    const note = (error: unknown) => void unseen.push(error);
    process.on("unhandledRejection", note);
    onTestFinished(() => void process.off("unhandledRejection", note));
    const proxy = await startCuttingProxy(inject("redisUrl"));
    const env = testEnvironment({ REDIS_URL: proxy.url });
    const key = { key: "done" };
    const fail = async () => Promise.reject(new Error("socket hang up"));
    const calls = async (guard: Guard) => {
      for (let again = 0; again < 2; again += 1) await guard.once(act, key, async () => 1);
      await guard.once(act, { key: randomUUID() }, fail).catch(onlyInDoubt);
    };
    const looks = async (operator: Operator) => {
      for (const { id } of await operator.guardedEffects({ limit: 10 })) await operator.guardedEffect(id);
      const [doubt] = await operator.doubts(0, 10);
      if (doubt === undefined) return;
      const { jobId, effect } = doubt;
      await operator.resolve(jobId, effect, { as: "done", evidence: "x", by: "ann", confirm: true });
    };
    const guard = { open: () => createGuard({ effects: [act], env }), use: calls };
    const operator = { open: () => createOperator(defineConfig({ jobs: [] }), env), use: looks };

    await cutEverywhere(proxy, guard);
    await cutEverywhere(proxy, operator);
    expect(unseen).toEqual([]);
  });

  it("begins nothing once Redis has lost data, puts what runs in doubt, and goes on when that is accepted", async () => {
    const { server, env, open } = await openOwn();
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
    const redis = new Redis(server.url);
    onTestFinished(() => redis.disconnect());
    await redis.flushall();

    const run = vi.fn(async () => 2);
    await expect(guard.once(act, { key: "k" }, run)).rejects.toMatchObject({ code: "STORE_ROLLED_BACK" });
    end.open();
    expect(await running).toBeInstanceOf(InDoubtError);
    const operator = await createOperator(defineConfig({ jobs: [] }), env);
    onTestFinished(() => operator.stop());
    const accepted = await operator.acceptLoss({ evidence: "emptied", by: "ann" });
    expect(accepted.filter((name) => name.startsWith("holdfast-guard"))).not.toEqual([]);
    await until("effects begin", () => guard.once(act, { key: "new" }, run).catch(() => false));
    await expect(guard.once(act, { key: "k" }, run)).rejects.toBeInstanceOf(InDoubtError);
    expect(run).toHaveBeenCalledTimes(1);
  });
});
