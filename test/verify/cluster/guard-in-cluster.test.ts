import { createOperator, defineConfig } from "holdfast";
import { createGuard, defineEffect, type EffectCall, InDoubtError } from "holdfast/guard";
import { Cluster } from "ioredis";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { storesOfGuard } from "../../../src/guard/places.ts";
import { plainStores } from "../../support/queue-stores.ts";
import { type RedisCluster, startRedisCluster } from "../../support/redis-cluster.ts";
import { testEnvironment } from "../../support/service.ts";

let cluster: RedisCluster;
beforeAll(async () => {
  cluster = await startRedisCluster();
}, 120_000);
afterAll(() => cluster?.stop());

const act = defineEffect({ name: "act", timeoutMs: 10_000, inDoubt: "hold" });

describe("a guard in a cluster", () => {
  it("runs each key once, on all masters, with a connection of the application's", async () => {
    const env = testEnvironment({ REDIS_URL: cluster.url });
    const { REDIS_URL: _, ...others } = env;
    const [first = ""] = cluster.url.split(",");
    const { hostname, port } = new URL(first);
    const connection = new Cluster([{ host: hostname, port: Number(port) }]);
    onTestFinished(() => connection.disconnect());
    await vi.waitUntil(() => connection.status === "ready");
    const guards = await Promise.all([
      createGuard({ effects: [act], env }),
      createGuard({ effects: [act], env: others, connection }),
    ]);
    onTestFinished(async () => void (await Promise.all(guards.map((guard) => guard.stop()))));
    const run = vi.fn(async ({ key }: EffectCall) => key);
    const keys = Array.from({ length: 40 }, (_, index) => `key-${index}`);
    const calls = keys.flatMap((key) => guards.map((guard) => guard.once(act, { key, waitMs: 30_000 }, run)));
    await Promise.all(calls);
    expect(run).toHaveBeenCalledTimes(40);

    const used = storesOfGuard(plainStores(connection, env.HOLDFAST_PREFIX)).map(({ queue }) => queue);
    const masters = await Promise.all(used.map((place) => cluster.shardOf(env.HOLDFAST_PREFIX, place)));
    expect(new Set(masters.map(({ master }) => master.port)).size).toBeGreaterThan(1);
  });

  it("lists and resolves doubts of all places", async () => {
    const env = testEnvironment({ REDIS_URL: cluster.url });
    const guard = await createGuard({ effects: [act], env });
    onTestFinished(() => guard.stop());
    const fail = async () => Promise.reject(new Error("socket hang up"));
    for (const key of ["a", "b", "c", "d", "e", "f"])
      await expect(guard.once(act, { key }, fail)).rejects.toBeInstanceOf(InDoubtError);
    const operator = await createOperator(defineConfig({ jobs: [] }), env);
    onTestFinished(() => operator.stop());
    expect(await operator.doubts(0, 100)).toHaveLength(6);
    const all = { all: true, as: "done", evidence: "seen", by: "ann" } as const;
    expect(await operator.resolveMany(all)).toMatchObject({ resolved: 6 });
    expect(await operator.guardedEffects({ limit: 100 })).toHaveLength(6);
  });
});
