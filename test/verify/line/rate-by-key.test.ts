import { fileURLToPath } from "node:url";
import { Worker } from "bullmq";
import { createProducer, defineConfig, defineJob } from "holdfast";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { bullmqQueueName, queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { divideQueue } from "../../../src/desk/queues/divide-queue.ts";
import { readSettings } from "../../../src/platform/config/settings.ts";
import { anything } from "../../../src/platform/redis/reply-shape.ts";
import { loadScript } from "../../../src/platform/redis/script.ts";
import ratedApplication, { call, definition } from "../../support/fixtures/rated.config.ts";
import { latch } from "../../support/latch.ts";
import { launchRole, withProcesses } from "../../support/processes.ts";
import { plainStores } from "../../support/queue-stores.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import { createService, type Service, untilState, type Variables } from "../../support/service.ts";
import { mostStartsIn, type Start, startsOf } from "../../support/starts.ts";
import { onTestFinished } from "../../support/test-scope.ts";
import { until } from "../../support/until.ts";

const payload = z.strictObject({ account: z.string(), name: z.string() });
type Payload = z.output<typeof payload>;

interface Options {
  readonly rate?: string;
  readonly concurrency?: number;
  readonly isFair?: boolean;
  readonly variables?: Variables;
}

/** An application that calls accounts, each at a limited rate. */
function rated({ rate = "3/300ms", concurrency, isFair = false, variables = {} }: Options = {}) {
  const accountOf = ({ account }: Payload) => account;
  const ran: string[] = [];
  /** The names of jobs that fail so often before they succeed. */
  const failures = new Map<string, number>();
  const gate = latch();
  gate.open();
  const job = defineJob({
    ...definition,
    payload,
    rate: { key: accountOf, limit: rate },
    ...(concurrency !== undefined && { concurrency: { key: accountOf, limit: concurrency } }),
    ...(isFair && { fairness: { key: accountOf } }),
  });
  const handler = job.handler(async ({ payload: { name } }) => {
    ran.push(name);
    await gate.opened;
    const left = failures.get(name) ?? 0;
    failures.set(name, left - 1);
    if (left > 0) throw new Error("on request");
    return {};
  });
  const application = defineConfig({ jobs: [job], handlers: async () => [handler] });
  const service = createService(application, variables);
  const submit = async (account: string, names: readonly string[], options: { delayMs?: number } = {}) => {
    const producer = await service.createProducer();
    const submissions = names.map((name) => ({
      payload: { account, name },
      idempotencyKey: `${account}-${name}`,
      ...options,
    }));
    const results = await producer.submitMany(job, submissions);
    return results.map((result) => {
      if (result instanceof Error) throw result;
      return result.id;
    });
  };
  return { application, service, job, ran, failures, submit };
}

const keysOf = ({ env }: Service) => queueKeys(env.HOLDFAST_PREFIX, "calls");
const starts = (service: Service, ids?: readonly string[]) =>
  startsOf(service.connect(), keysOf(service).events, ids);

async function untilCompleted(service: Service, ids: readonly string[]): Promise<void> {
  const producer = await service.createProducer();
  for (const id of ids) await untilState(producer, id, "completed");
}

/** From the first start to the last one, in milliseconds. */
const spanOf = (all: readonly Start[]) => (all.at(-1)?.at ?? 0) - (all[0]?.at ?? 0);
const numbered = (count: number, prefix = "") => Array.from({ length: count }, (_, at) => `${prefix}${at}`);

/** Nothing is left of held jobs, and what is kept of keys expires. */
async function expectNothingHeld(service: Service): Promise<void> {
  const store = service.connect();
  const { start, held } = keysOf(service);
  await until("no key has held jobs", async () => (await store.exists(`${start}rates`, held)) === 0);
  expect(await store.exists(`${start}held:due`)).toBe(0);
  for (const key of await store.keys(`${start}rate:*`)) expect(await store.pttl(key)).toBeGreaterThan(0);
}

// Each waits for windows of its own prefix: they wait together.
describe.concurrent("jobs of one key", () => {
  it.each([
    ["3/100ms", 3, 100, 20],
    ["1/50ms", 1, 50, 12],
    ["10/1s", 10, 1_000, 35],
  ])(
    "start at most %s, in order, on all workers together, and without pauses",
    async (rate, limit, windowMs, count) => {
      const { service, submit } = rated({ rate, variables: { HOLDFAST_CONCURRENCY: "20" } });
      await service.startWorker();
      await service.startWorker();
      const ids = await submit("a", numbered(count));
      await untilCompleted(service, ids);

      const all = await starts(service);
      expect(mostStartsIn(all, windowMs)).toBe(limit);
      expect(all.map(({ id }) => id)).toEqual(ids);
      const windows = Math.ceil(count / limit) - 1;
      // The sweep alone would take a second or more for each.
      expect(spanOf(all)).toBeLessThan(windows * (windowMs + 500));
      await expectNothingHeld(service);
    },
  );

  it("never start more often in any window, however jobs arrive", async () => {
    const { service, submit } = rated({ rate: "5/200ms", variables: { HOLDFAST_CONCURRENCY: "10" } });
    await service.startWorker();
    await service.startWorker();
    const ids: string[] = [];
    for (let burst = 0; burst < 10; burst += 1) {
      ids.push(...(await submit("a", numbered(1 + ((burst * 3) % 7), `burst-${burst}-`))));
      const { length } = ids;
      await until("some have run", async () => (await starts(service)).length >= length / 2);
    }
    await untilCompleted(service, ids);
    expect(mostStartsIn(await starts(service), 200)).toBeLessThanOrEqual(5);
  });

  it("hold back no jobs of other keys", async () => {
    const { service, ran, submit } = rated({ rate: "1/1h" });
    await submit("a", numbered(50, "a"));
    const others = (await Promise.all(numbered(20).map((key) => submit(`b${key}`, [`b${key}`])))).flat();
    await service.startWorker();
    await untilCompleted(service, others);
    expect(ran.filter((name) => name.startsWith("a"))).toEqual(["a0"]);
  });
});

describe.concurrent("each start counts", () => {
  it("of a retry", async () => {
    const { service, failures, submit } = rated({ rate: "2/200ms" });
    for (const name of numbered(4)) failures.set(name, 1);
    await service.startWorker();
    const ids = await submit("a", numbered(8));
    await untilCompleted(service, ids);

    const all = await starts(service);
    expect(all).toHaveLength(12);
    expect(mostStartsIn(all, 200)).toBe(2);
    await expectNothingHeld(service);
  });

  it("of a retry, which goes before the jobs that are still held", async () => {
    const { service, ran, failures, submit } = rated({ rate: "1/3s" });
    failures.set("0", 1);
    await service.startWorker();
    const ids = await submit("a", numbered(3));
    const producer = await service.createProducer();
    await untilState(producer, ids[0] ?? "", "completed");
    // The next one had its place before the retry asked; the last one had not.
    expect(ran).toEqual(["0", "1", "0"]);
  });

  it("of jobs that become due together", async () => {
    const { service, submit } = rated({ rate: "3/200ms" });
    await service.startWorker();
    const late = await submit("a", numbered(10, "late"), { delayMs: 300 });
    const soon = await submit("a", numbered(4, "soon"));
    await untilCompleted(service, [...soon, ...late]);
    const all = await starts(service);
    expect(mostStartsIn(all, 200)).toBe(3);
    expect(all.slice(0, 4).map(({ id }) => id)).toEqual(soon);
  });

  it("of many that are due in one step", async () => {
    const { service, submit } = rated({ rate: "2/1h" });
    const ids = await submit("a", numbered(250), { delayMs: 1 });
    const other = await submit("b", ["last"], { delayMs: 2 });
    await service.startWorker();
    await untilCompleted(service, other);
    const store = service.connect();
    const { held } = keysOf(service);
    await until("all others are held", async () => (await store.zcard(held)) === ids.length - 2);
    expect((await starts(service, ids)).length).toBe(2);
  });

  it("of jobs that are retried by hand", async () => {
    const { service, failures, submit } = rated({ rate: "2/300ms" });
    for (const name of numbered(4)) failures.set(name, 3);
    await service.startWorker();
    const ids = await submit("a", numbered(4));
    const producer = await service.createProducer();
    for (const id of ids) await untilState(producer, id, "failed");
    const operator = await service.createOperator();
    for (const id of ids) await operator.retry(id);
    await untilCompleted(service, ids);
    expect(mostStartsIn(await starts(service), 300)).toBe(2);
  });
});

describe.concurrent("a held job", () => {
  it("is waiting, and says behind how many others, and until when", async () => {
    const { service, submit } = rated({ rate: "2/1m" });
    const [first = "", second = "", third = "", fourth = ""] = await submit("a", numbered(4));
    const producer = await service.createProducer();
    const status = async (id: string) => await producer.status(id);
    expect(await status(first)).not.toHaveProperty("held");
    expect(await status(third)).toMatchObject({
      state: "waiting",
      held: { behind: 2, limit: 2, windowMs: 60_000 },
    });
    expect((await status(fourth))?.held).toMatchObject({ behind: 3 });

    await service.startWorker();
    await untilCompleted(service, [first, second]);
    const [one, two] = await starts(service, [first, second]);
    const { held } = (await status(third)) ?? {};
    expect(Date.parse(held?.until ?? "")).toBe((one?.at ?? 0) + 60_000);
    // Two that may start in the same millisecond are behind nobody.
    expect((await status(fourth))?.held).toMatchObject({ behind: one?.at === two?.at ? 0 : 1 });

    const operator = await service.createOperator();
    const { jobs } = await operator.list({ state: "waiting", limit: 10 });
    expect(new Set(jobs.map(({ id }) => id))).toEqual(new Set([third, fourth]));
  });

  it("can be cancelled, as can the one before it: the next one has its place", async () => {
    const { service, submit } = rated({ rate: "1/1h" });
    const [first = "", second = "", third = "", fourth = ""] = await submit("a", numbered(4));
    const operator = await service.createOperator();
    const producer = await service.createProducer();
    await operator.cancel(second);
    await operator.cancel(first);
    expect((await producer.status(third))?.held).toMatchObject({ behind: 0 });
    await service.startWorker();
    await untilCompleted(service, [third]);
    // It has the place of the next start.
    const { held } = (await producer.status(fourth)) ?? {};
    expect(held?.until).toBeDefined();
    const [fifth = ""] = await submit("a", ["4"]);
    expect((await producer.status(fifth))?.held).not.toHaveProperty("until");
    await operator.cancel(fourth);
    expect((await producer.status(fifth))?.held).toMatchObject({ until: held?.until, behind: 0 });
    await operator.cancel(fifth);
    await expectNothingHeld(service);
  });

  it("gets what another tool has removed, or started", async () => {
    const { service, submit } = rated({ rate: "2/1s" });
    const [first = "", second = "", ...others] = await submit("a", numbered(6));
    const queue = service.openBareQueue("calls");
    await queue.remove(first);
    const bare = new Worker(bullmqQueueName("calls"), async () => {}, {
      connection: service.connect(),
      prefix: service.env.HOLDFAST_PREFIX,
    });
    onTestFinished(() => bare.close());
    const store = service.connect();
    const { completed } = keysOf(service);
    await until("it has run one", async () => (await store.zscore(completed, second)) !== null);
    await bare.close();
    await service.startWorker();
    await untilCompleted(service, others);
    expect(mostStartsIn(await starts(service), 1_000)).toBe(2);
    await expectNothingHeld(service);
  });
});

describe.concurrent("a rate", () => {
  it("works beside keyed concurrency, in order of submission", async () => {
    const { service, ran, submit } = rated({ rate: "3/300ms", concurrency: 1 });
    await service.startWorker();
    await service.startWorker();
    const ids = [...(await submit("a", numbered(8, "a"))), ...(await submit("b", numbered(8, "b")))];
    await untilCompleted(service, ids);
    for (const own of [ids.slice(0, 8), ids.slice(8)]) {
      const all = await starts(service, own);
      expect(all.map(({ id }) => id)).toEqual(own);
      expect(mostStartsIn(all, 300)).toBe(3);
    }
    expect(ran).toHaveLength(16);
    await expectNothingHeld(service);
    expect(await service.connect().keys(`${keysOf(service).start}lane:*`)).toEqual([]);
  });

  it("says what holds a job that has both", async () => {
    const { service, submit } = rated({ rate: "1/1h", concurrency: 2 });
    const ids = await submit("a", numbered(3));
    const producer = await service.createProducer();
    const held = await Promise.all(ids.map(async (id) => (await producer.status(id))?.held));
    expect(held).toEqual([
      undefined,
      expect.objectContaining({ limit: 1, windowMs: 3_600_000 }),
      { lane: expect.any(String), behind: 2, limit: 2 },
    ]);
  });

  it("works beside fairness: a job that is let in gets its tenant's turn", async () => {
    const { service, submit } = rated({
      rate: "4/200ms",
      isFair: true,
      variables: { HOLDFAST_CONCURRENCY: "2" },
    });
    const ids = [...(await submit("a", numbered(16, "a"))), ...(await submit("b", numbered(4, "b")))];
    await service.startWorker();
    await untilCompleted(service, ids);
    const own = ids.slice(0, 16);
    expect((await starts(service, own)).map(({ id }) => id)).toEqual(own);
    expect(mostStartsIn(await starts(service, own), 200)).toBe(4);
    const order = (await starts(service)).map(({ id }) => id);
    expect(order.indexOf(ids[19] ?? "")).toBeLessThan(10);
  });

  const changed = (from: string, to: string) => {
    const before = rated({ rate: from });
    const { service } = before;
    const after = rated({ rate: to, variables: { HOLDFAST_PREFIX: service.env.HOLDFAST_PREFIX } });
    return { before, after, service };
  };

  it.each([
    ["1/1h", "4/300ms", 4, 300],
    ["1/1h", "1/100ms", 1, 100],
    ["2/1h", "100/1s", 100, 1_000],
  ])(
    "that is raised from %s to %s lets held jobs in by that, in order",
    async (from, to, limit, windowMs) => {
      const { before, after, service } = changed(from, to);
      await before.service.startWorker();
      const old = await before.submit("a", numbered(12, "old"));
      await untilCompleted(service, old.slice(0, 1));
      const young = await after.submit("a", numbered(3, "new"));
      const producer = await service.createProducer();
      expect((await producer.status(old[6] ?? ""))?.held).toMatchObject({ limit, windowMs });
      await untilCompleted(service, [...old, ...young]);
      const all = await starts(service);
      expect(all.map(({ id }) => id)).toEqual([...old, ...young]);
      expect(mostStartsIn(all, windowMs)).toBeLessThanOrEqual(limit);
      await expectNothingHeld(service);
    },
  );

  it("with a shorter window does not wait for the end of the one before", async () => {
    const { before, after, service } = changed("1/1h", "1/100ms");
    await service.startWorker();
    await untilCompleted(service, await before.submit("a", ["old"]));
    await untilCompleted(service, await after.submit("a", ["new"]));
  });

  it("that is lowered holds the jobs that were held before", async () => {
    const { before, after, service } = changed("4/300ms", "1/300ms");
    const old = await before.submit("a", numbered(8, "old"));
    const young = await after.submit("a", numbered(4, "new"));
    await service.startWorker();
    await untilCompleted(service, [...old, ...young]);
    const all = await starts(service);
    expect(all.map(({ id }) => id)).toEqual([...old, ...young]);
    expect(mostStartsIn(all.slice(4), 300)).toBe(1);
    expect((all[4]?.at ?? 0) - (all[3]?.at ?? 0)).toBeGreaterThanOrEqual(300);
  });

  it("is refused in a queue that has partitions", async () => {
    const { application, service, job } = rated();
    expect(() =>
      defineConfig({ jobs: [job], handlers: async () => [], queues: { calls: { partitions: 2 } } }),
    ).toThrow('job "call": rate: expected a queue without partitions, got "calls", which has 2');

    const settings = readSettings(service.env);
    const stores = plainStores(service.connect(), service.env.HOLDFAST_PREFIX);
    await divideQueue(stores, settings.HOLDFAST_PREFIX, "calls", 2);
    await expect(createProducer(application, service.env)).rejects.toMatchObject({
      code: "APPLICATION_INVALID",
      message: expect.stringContaining("which has 2"),
    });
  });

  it.each(["10", "0/1s", "10/1d", "10001/1s", "1/25h", "-1/1s", "", "1.5/1s"])(
    "is refused that is none: %j",
    (limit) => {
      expect(() => defineJob({ ...definition, payload, rate: { key: () => "a", limit } })).toThrow(
        /^job "call": rate\.limit: expected a rate such as "10\/1s"/,
      );
    },
  );

  it("is refused without a key", async () => {
    const job = defineJob({ ...definition, payload, rate: { key: () => "", limit: "1/1s" } });
    const service = createService(defineConfig({ jobs: [job], handlers: async () => [] }));
    const producer = await service.createProducer();
    await expect(
      producer.submit(job, { account: "a", name: "n" }, { idempotencyKey: "k" }),
    ).rejects.toMatchObject({
      code: "INVALID_PAYLOAD",
      message: expect.stringContaining("rate.key: expected to return 1 to 255 characters, got 0 characters"),
    });
  });
});

describe("the sweep", () => {
  const LOOKED = 20;
  const GIVEN = 4;
  const script = loadScript(
    new URL("../../../src/features/rate/in-worker.ts", import.meta.url).href,
    "sweep-rates.lua",
    anything,
  );

  it("bounds what it looks at and gives in all keys together, and finds what is gone all the same", async () => {
    const server = await startRedisServer();
    onTestFinished(() => server.stop());
    const { service, submit } = rated({ rate: "200/1h", variables: { REDIS_URL: server.url } });
    const ids = await submit("a", numbered(210));
    await submit("b", numbered(210));
    const store = service.connect();
    const { start } = keysOf(service);
    const rates = `${start}rates`;
    const hashes = await store.zrange(rates, 0, "-1");
    const sweep = async () => {
      for (const hash of hashes) await store.zadd(rates, "XX", 0, hash);
      const [, given] = (await script.run(store, [rates], [start, 50, LOOKED, GIVEN])) as [number, number];
      return given;
    };
    const readJobs = async () =>
      Number(/cmdstat_hmget:calls=(\d+)/.exec(await store.info("commandstats"))?.[1] ?? 0);
    for (const hash of hashes) {
      // As if they had waited for longer.
      const tokens = await store.zrangebyscore(`${start}rate:${hash}`, "-inf", "(0");
      await store.zadd(`${start}rate:${hash}`, ...tokens.flatMap((id) => [-(Date.now() - 10_000), id]));
    }

    const before = await readJobs();
    expect(await sweep()).toBe(0);
    // Each key's first held job is read, too.
    expect((await readJobs()) - before).toBe(LOOKED + hashes.length);

    for (const place of [0, 199]) {
      await service.openBareQueue("calls").remove(ids[place] ?? "");
      await until("the next one has its place", async () => (await sweep()) === 1);
    }

    for (const hash of hashes) await store.zremrangebyscore(`${start}rate:${hash}`, "-inf", "(0");
    expect(await sweep()).toBe(GIVEN);
    // What it could not give is looked at by the next sweep.
    expect(await store.zcount(rates, "-inf", Date.now())).toBe(hashes.length);
    await until("all have got theirs", async () => {
      await sweep();
      return (await store.exists(rates)) === 0;
    });
  });
});

describe.concurrent("when workers go", () => {
  const config = fileURLToPath(new URL("../../support/fixtures/rated.config.ts", import.meta.url));
  const submitCalls = async (service: Service, count: number, accounts: number) => {
    const producer = await service.createProducer();
    const submissions = Array.from({ length: count }, (_, index) => ({
      payload: { account: `a${index % accounts}`, takesMs: 50 },
      idempotencyKey: `job-${index}`,
    }));
    return (await producer.submitMany(call, submissions)).map((result) => ("id" in result ? result.id : ""));
  };
  const expectRate = async (service: Service, ids: readonly string[], accounts: number) => {
    for (let account = 0; account < accounts; account += 1) {
      const own = ids.filter((_, index) => index % accounts === account);
      expect(mostStartsIn(await starts(service, own), 500)).toBeLessThanOrEqual(4);
    }
    await expectNothingHeld(service);
  };

  it("killed, the rate holds, and no job is lost", withProcesses, async () => {
    const service = createService(ratedApplication, {});
    const env = { ...service.env, HOLDFAST_CONFIG: config, HOLDFAST_LOCK_MS: "1000" };
    const ids = await submitCalls(service, 60, 3);
    const store = service.connect();
    const { completed, active } = keysOf(service);
    const first = await launchRole("worker", env);
    await until(
      "some have run, and others run",
      async () => (await store.zcard(completed)) >= 6 && (await store.llen(active)) > 0,
    );
    first.kill("SIGKILL");
    await first.ended;
    await launchRole("worker", env);
    await until("all have run", async () => (await store.zcard(completed)) === ids.length);
    await expectRate(service, ids, 3);
  });

  it("replaced one after another, too", withProcesses, async () => {
    const service = createService(ratedApplication, {});
    const env = { ...service.env, HOLDFAST_CONFIG: config };
    const ids = await submitCalls(service, 60, 3);
    const store = service.connect();
    const { completed } = keysOf(service);
    let worker = await launchRole("worker", env);
    for (const share of [6, 20, 40]) {
      await until("some have run", async () => (await store.zcard(completed)) >= share);
      const next = await launchRole("worker", env);
      worker.kill("SIGTERM");
      await worker.ended;
      worker = next;
    }
    await until("all have run", async () => (await store.zcard(completed)) === ids.length);
    await expectRate(service, ids, 3);
  });
});
