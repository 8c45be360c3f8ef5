import { defineConfig, defineJob } from "holdfast";
import { startWorker } from "holdfast/worker";
import type { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import type { Overview } from "../../../src/desk/overview/overview.ts";
import { openTypeReader } from "../../../src/desk/overview/type-overview.ts";
import { describeOverview } from "../../../src/edges/cli/screen/overview-text.ts";
import { cellText, linesOf } from "../../../src/edges/cli/screen/text.ts";
import { startBudgetSweep } from "../../../src/features/budget/budget-sweep.ts";
import { diagnoseBudgets } from "../../../src/features/budget/findings.ts";
import { bytesOf, readShares, type Share } from "../../../src/features/budget/shares.ts";
import { get } from "../../support/http.ts";
import { keptBytes } from "../../support/kept-bytes.ts";
import { latch } from "../../support/latch.ts";
import { plainStores } from "../../support/queue-stores.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import { createService, untilState, type Variables } from "../../support/service.ts";
import { onTestFinished } from "../../support/test-scope.ts";
import { until } from "../../support/until.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const PLENTY = "1000000000";

type End = "complete" | "fail" | "doubt";

interface Shape {
  readonly keepBytes?: number;
  readonly partitions?: number;
  readonly variables?: Variables;
}

/** An application whose jobs end as their payload says, and a worker with a budget that nothing reaches. */
async function open({ keepBytes, partitions = 1, variables = {} }: Shape = {}) {
  const runs = new Map<string, number>();
  /** Handlers wait for these, by idempotency key. */
  const gates = new Map<string, Promise<void>>();
  const common = {
    payload: z.strictObject({ end: z.enum(["complete", "fail", "doubt"]), text: z.string() }),
    result: z.unknown(),
    retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 10 } },
    timeoutMs: 20_000,
    effects: { act: { timeoutMs: 10_000, inDoubt: "hold" } },
  } as const;
  const note = defineJob({ ...common, type: "note" });
  const other = defineJob({ ...common, type: "other", ...(keepBytes !== undefined && { keepBytes }) });
  const jobs = [note, other];
  const application = defineConfig({
    jobs,
    queues: { default: { partitions } },
    handlers: async () =>
      jobs.map((job) =>
        job.handler(async ({ payload: { end }, effect, idempotencyKey, log }) => {
          await gates.get(idempotencyKey);
          await effect("act", async () => {
            runs.set(idempotencyKey, (runs.get(idempotencyKey) ?? 0) + 1);
            if (end === "doubt") throw Object.assign(new Error("hang up"), { code: "ECONNRESET" });
          });
          log.info("acted");
          if (end === "fail") throw new Error("on request");
          return "done";
        }),
      ),
  });
  const service = createService(application, { HOLDFAST_KEEP_BYTES: PLENTY, ...variables });
  const redis = service.connect();
  const producer = await service.createProducer();
  const operator = await service.createOperator();
  const plentiful = await service.startWorker();
  const startWith = async (bytes: number) => {
    // While it runs, it is the one that counts and removes.
    await plentiful.stop();
    const worker = await startWorker(application, { ...service.env, HOLDFAST_KEEP_BYTES: String(bytes) });
    onTestFinished(() => worker.stop());
  };
  const names = Array.from({ length: partitions }, (_, index) =>
    index === 0 ? "default" : `default.${index}`,
  );
  const stores = plainStores(redis, service.env.HOLDFAST_PREFIX);
  const shares = async () => (await Promise.all(names.map((name) => readShares(stores.of(name))))).flat();
  const truth = () => keptBytes(redis, service.env.HOLDFAST_PREFIX, names);
  const submit = (key: string, end: End = "complete", job: typeof note | typeof other = note, size = 500) =>
    producer.submit(job, { end, text: "x".repeat(size) }, { idempotencyKey: key });
  const ended = async (key: string, ...rest: [End?, (typeof note | typeof other)?, number?]) => {
    const { id } = await submit(key, ...rest);
    await untilState(producer, id, "completed", "failed");
    return id;
  };
  const keys = queueKeys(service.env.HOLDFAST_PREFIX, "default");
  const system = { application, service, redis, producer, operator, runs, gates, keys, names, note, other };
  return { ...system, startWith, shares, truth, submit, ended };
}

type System = Awaited<ReturnType<typeof open>>;

/** Waits until all jobs that are kept are in the estimate. @returns it */
async function counted({ redis, service, names, shares }: System): Promise<readonly Share[]> {
  const kept = async (pick: (name: string) => Promise<string[]>) =>
    (await Promise.all(names.map(pick))).flat().sort().join();
  await until("all are counted", async () => {
    const of = (name: string) => queueKeys(service.env.HOLDFAST_PREFIX, name);
    const inSets = await kept(async (name) => [
      ...(await redis.zrange(of(name).completed, 0, "-1")),
      ...(await redis.zrange(of(name).failed, 0, "-1")),
    ]);
    const inSums = await kept(async (name) => {
      const sums = Object.keys(await redis.hgetall(`${of(name).start}budget`)).filter((sum) =>
        sum.includes(":"),
      );
      return (
        await Promise.all(sums.map((sum) => redis.zrange(`${of(name).start}budget:${sum}`, 0, "-1")))
      ).flat();
    });
    return inSets === inSums;
  });
  return await shares();
}

async function left({ producer }: System, ids: readonly string[]): Promise<boolean[]> {
  const found = await Promise.all(ids.map((id) => producer.status(id)));
  return found.map((status) => status !== undefined);
}

async function untilGone({ producer }: System, id: string): Promise<void> {
  await until(`${id} is gone`, async () => (await producer.status(id)) === undefined);
}

/** As if they had ended a day and a bit earlier. */
async function age({ redis, keys }: System, id: string): Promise<void> {
  const at = Number(await redis.zscore(keys.failed, id)) - DAY_MS - 60_000;
  await redis.zadd(keys.failed, at, id);
}

describe("a budget in bytes for many jobs", () => {
  it("is counted within a tenth of what Redis reports", async () => {
    const system = await open();
    for (let at = 0; at < 150; at += 1) {
      const [end, job] = [
        at % 5 === 0 ? "fail" : "complete",
        at % 2 === 0 ? system.note : system.other,
      ] as const;
      await system.submit(`k-${at}`, end, job, (at * 397) % 6_000);
    }
    await until("all have ended", async () => {
      const { redis, keys } = system;
      return (await redis.zcard(keys.completed)) + (await redis.zcard(keys.failed)) === 150;
    });

    const shares = await counted(system);

    expect(bytesOf(shares) / (await system.truth())).toBeCloseTo(1, 1);
    expect(shares.map(({ state, type }) => `${state} ${type}`).sort()).toEqual([
      "completed note",
      "completed other",
      "failed note",
      "failed other",
    ]);
    expect(bytesOf(shares, "note") + bytesOf(shares, "other")).toBe(bytesOf(shares));
  });

  it("is exact while several workers keep to it", async () => {
    const system = await open();
    const ids: string[] = [];
    for (let at = 0; at < 120; at += 1) ids.push((await system.submit(`k-${at}`)).id);
    await Promise.all(ids.map((id) => untilState(system.producer, id, "completed")));
    const before = bytesOf(await counted(system));
    const budget = Math.round(before / 3);

    await Promise.all([1, 2, 3, 4].map(() => system.startWith(budget)));
    await until("they are within it", async () => bytesOf(await system.shares()) <= budget);
    await untilSwept(system);

    expect(bytesOf(await system.shares())).toBeGreaterThan(budget - (2 * before) / ids.length);
  });
});

// Each waits for sweeps of its own prefix: they wait together.
describe.concurrent("a budget in bytes", () => {
  it("removes the oldest job where it is exceeded by one byte, and remembers its key and effect", async () => {
    const system = await open();
    const ids: string[] = [];
    for (let at = 0; at < 5; at += 1) {
      ids.push(await system.ended(`k-${at}`));
      // A second apart: the order of what ends in one second is not kept.
      await untilSecondIsOver(system.redis);
    }
    const before = bytesOf(await counted(system));

    await system.startWith(before - 1);
    await untilGone(system, ids[0] ?? "");
    await untilSwept(system);

    expect(await left(system, ids)).toEqual([false, true, true, true, true]);
    expect(bytesOf(await counted(system))).toBeLessThan(before);
    expect(await system.redis.keys(`${system.keys.start}${ids[0]}*`)).toEqual([]);
    expect(await system.submit("k-0")).toMatchObject({ id: ids[0], duplicate: true });
    expect(system.runs.get("k-0")).toBe(1);
    expect(await system.redis.keys(`${system.keys.ledgerStart}*`)).toHaveLength(5);
  });

  it("of a type leaves the others alone", async () => {
    const system = await open({ keepBytes: 1_000 });
    const kept = await system.ended("of-note", "complete", system.note, 5_000);
    const gone = await system.ended("of-other", "complete", system.other, 5_000);

    await untilGone(system, gone);

    expect(await left(system, [kept])).toEqual([true]);
    expect(bytesOf(await counted(system), "other")).toBe(0);
  });

  it("never removes a job in doubt, nor one that failed within a day", async () => {
    const system = await open();
    const doubt = await system.ended("doubt", "doubt");
    const young = await system.ended("young", "fail");
    const old = await system.ended("old", "fail");
    await Promise.all([doubt, old].map((id) => age(system, id)));
    const last = await system.ended("last");
    await counted(system);

    await system.startWith(1_000);
    await Promise.all([old, last].map((id) => untilGone(system, id)));
    await untilSwept(system);

    expect(await left(system, [doubt, young])).toEqual([true, true]);
    expect(bytesOf(await counted(system)) / (await system.truth())).toBeGreaterThan(0.7);
  });

  it.each(["Holdfast", "another tool"])(
    "keeps a job that %s retried, and counts it when it ends anew",
    async (by) => {
      const system = await open({ variables: { HOLDFAST_KEEP_BYTES: "1000" } });
      const retried = await system.ended("retried", "fail");
      await counted(system);
      const gate = latch();
      onTestFinished(gate.open);
      system.gates.set("retried", gate.opened);

      if (by === "Holdfast") {
        await system.operator.retry(retried);
        expect(bytesOf(await system.shares())).toBe(0);
      } else await (await system.service.openBareQueue().getJob(retried))?.retry();
      await untilState(system.producer, retried, "active");
      // As if it had failed long ago.
      const jobs = `${system.keys.start}budget:failed:note`;
      const score = await system.redis.zscore(jobs, retried);
      if (score !== null)
        await system.redis.zadd(jobs, "XX", Number(score) - 2 * (DAY_MS / 1_000) * 2 ** 21, retried);
      await untilGone(system, await system.ended("last"));
      expect((await system.producer.status(retried))?.state).toBe("active");
      gate.open();
      await untilState(system.producer, retried, "failed");
      await until("it is counted", async () => bytesOf(await system.shares()) > 500);

      await untilSwept(system);
      expect(await left(system, [retried])).toEqual([true]);
    },
  );

  it("is over all partitions, and the oldest jobs go in whichever", async () => {
    const system = await open({ partitions: 3 });
    const ids: string[] = [];
    for (let at = 0; at < 12; at += 1) {
      ids.push(await system.ended(`k-${at}`));
      await untilSecondIsOver(system.redis);
    }
    expect(new Set(ids.map((id) => id.split("_")[0])).size).toBe(3);
    const before = bytesOf(await counted(system));

    const budget = Math.round(before / 2);
    await system.startWith(budget);
    await until("they are within it", async () => bytesOf(await system.shares()) <= budget);
    await untilSwept(system);

    const found = await left(system, ids);
    const gone = found.filter((isLeft) => !isLeft).length;
    expect(gone).toBeGreaterThanOrEqual(5);
    expect(gone).toBeLessThanOrEqual(7);
    expect(found).toEqual(ids.map((_, at) => at >= gone));
  });
});

describe.concurrent("the estimate", () => {
  it("follows what BullMQ removes, what a person deletes, and what another tool removes", async () => {
    const system = await open({ variables: { HOLDFAST_KEEP_COMPLETED: "6" } });
    const ids: string[] = [];
    for (let at = 0; at < 9; at += 1) ids.push(await system.ended(`k-${at}`));
    await counted(system);
    expect(await left(system, ids)).toEqual([false, false, false, ...Array(6).fill(true)]);

    await system.operator.delete(ids[4] ?? "", "tests");
    await (await system.service.openBareQueue().getJob(ids[6] ?? ""))?.remove();

    const shares = await counted(system);
    expect(bytesOf(shares) / (await system.truth())).toBeCloseTo(1, 0);
  });

  it("is made anew after Redis's clock was set back", async () => {
    const system = await open();
    await system.ended("before");
    const before = bytesOf(await counted(system));
    await system.redis.hset(`${system.keys.start}budget`, "completed", Date.now() + DAY_MS);

    await system.ended("after");

    expect(bytesOf(await counted(system))).toBeGreaterThan(1.5 * before);
  });

  it("is not kept where nothing has a budget", async () => {
    const system = await open();
    const stores = plainStores(system.redis, system.service.env.HOLDFAST_PREFIX);
    const settings = { HOLDFAST_KEEP_BYTES: undefined };
    const process = { application: system.application, settings, stores };
    expect(startBudgetSweep(process as unknown as Parameters<typeof startBudgetSweep>[0])).toEqual([]);
  });
});

describe.concurrent("what people see of a budget", () => {
  it("is in the overview, by type and state", async () => {
    const system = await open();
    await system.ended("done", "complete", system.note, 4_000);
    await system.ended("failed", "fail", system.other);
    await counted(system);

    const { body } = await get(`${(await system.service.startApi()).url}/overview`);

    const { types } = body as unknown as Overview;
    const [note, other] = ["note", "other"].map((type) => types.find((one) => one.type === type)?.keptBytes);
    expect(note).toEqual({ completed: expect.toSatisfy(isBetween(4_000, 8_000)), failed: 0 });
    expect(other).toEqual({ completed: 0, failed: expect.toSatisfy(isBetween(1_000, 8_000)) });
    const text = linesOf(describeOverview(body as unknown as Overview, 200)).map((line) =>
      line.map(cellText).join(""),
    );
    expect(text.join("\n")).toMatch(/completed MiB +failed MiB/);
  });

  it("is nothing in the overview without one", async () => {
    const system = await open();
    const { keptBytes } = (await openTypeReader(system.application.jobs)([], 0))[0] ?? {};
    expect(keptBytes).toBe(null);
  });

  it("is a warning of the doctor where nothing counts, where what must stay takes more, and where Redis is full before", async () => {
    const server = await startRedisServer();
    onTestFinished(() => server.stop());
    const system = await open({ variables: { REDIS_URL: server.url } });
    const diagnosed = async (bytes: string | undefined) => {
      const settings = { HOLDFAST_KEEP_BYTES: bytes === undefined ? undefined : Number(bytes) };
      const stores = plainStores(system.redis, system.service.env.HOLDFAST_PREFIX);
      const found = await diagnoseBudgets({ application: system.application, stores, settings });
      return found.map(({ name, verdict }) => `${name}: ${verdict}`);
    };
    await system.ended("failed", "fail");
    await counted(system);
    expect(await diagnosed(undefined)).toEqual([]);
    expect(await diagnosed("1000000")).toEqual(["budget of ended jobs: ok"]);
    expect(await diagnosed("1000")).toEqual(["budget of ended jobs: warn"]);
    const stores = plainStores(system.redis, system.service.env.HOLDFAST_PREFIX);
    const [over] = await diagnoseBudgets({
      application: system.application,
      stores,
      settings: { HOLDFAST_KEEP_BYTES: 1_000 },
    });
    expect(over?.reason).toMatch(/failed jobs alone take .+: no completed one stays/);

    await system.redis.config("SET", "maxmemory", "100mb");
    expect(await diagnosed("10000000")).toEqual(["budget of ended jobs: ok", "room for ended jobs: ok"]);
    expect(await diagnosed("95000000")).toEqual(["budget of ended jobs: ok", "room for ended jobs: warn"]);

    await system.redis.acl("SETUSER", "default", "-memory|usage");
    await system.redis.del(`${system.keys.start}budget`);
    expect(await diagnosed("1000000")).toEqual(["budget of ended jobs: warn"]);
  });
});

function isBetween(least: number, most: number) {
  return (value: number) => value > least && value < most;
}

describe("a budget that is not valid", () => {
  it.each([0, 999, 1.5, "50MB"])("is refused: %s", (keepBytes) => {
    const declare = () =>
      defineJob({
        type: "odd",
        payload: z.unknown(),
        result: z.unknown(),
        retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 10 } },
        timeoutMs: 10_000,
        keepBytes: keepBytes as number,
      });
    expect(declare).toThrow("keepBytes");
  });
});

async function untilSecondIsOver(redis: Redis): Promise<void> {
  const [began] = await redis.time();
  await until("a second is over", async () => (await redis.time())[0] !== began);
}

/** Two sweeps of every worker. */
async function untilSwept({ redis, keys }: System): Promise<void> {
  for (let time = 0; time < 3; time += 1) {
    const last = await redis.hget(`${keys.start}budget`, "lookedAt");
    await until(
      "a sweep is over",
      async () => (await redis.hget(`${keys.start}budget`, "lookedAt")) !== last,
    );
  }
}
