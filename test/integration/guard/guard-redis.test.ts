import { createOperator, defineConfig } from "holdfast";
import { createGuard, defineEffect, InDoubtError } from "holdfast/guard";
import { Redis } from "ioredis";
import { describe, expect, it, onTestFinished, vi } from "vitest";
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
