import { fileURLToPath } from "node:url";
import { Worker } from "bullmq";
import { createProducer, defineConfig, defineJob, PermanentError } from "holdfast";
import type { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { bullmqQueueName, type QueueKeys, queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { divideQueue } from "../../../src/desk/queues/divide-queue.ts";
import { startLaneSweep } from "../../../src/features/lanes/in-worker.ts";
import { openLetNextIn } from "../../../src/features/lanes/let-next-in.ts";
import { readSettings } from "../../../src/platform/config/settings.ts";
import { createLogger } from "../../../src/platform/telemetry/create-logger.ts";
import keyedApplication, { bill, definition } from "../../support/fixtures/keyed.config.ts";
import { latch } from "../../support/latch.ts";
import { launchRole, withProcesses } from "../../support/processes.ts";
import { plainStores } from "../../support/queue-stores.ts";
import { createService, type Service, untilState, type Variables } from "../../support/service.ts";
import { onTestFinished } from "../../support/test-scope.ts";
import { until } from "../../support/until.ts";

const payload = z.strictObject({ customer: z.string(), name: z.string() });
type Payload = z.output<typeof payload>;

interface Options {
  readonly limit?: number;
  readonly isFair?: boolean;
  readonly variables?: Variables;
}

/** An application that notes which job of which customer starts, and how many run at a time. */
function keyed({ limit = 1, isFair = false, variables = {} }: Options = {}) {
  const starts: string[] = [];
  const running = new Map<string, number>();
  const most = new Map<string, number>();
  const gate = latch();
  /** The names of jobs that fail so often before they succeed. */
  const failures = new Map<string, number>();
  const customerOf = ({ customer }: Payload) => customer;
  const base = { ...definition, payload, concurrency: { key: customerOf, limit } };
  const job = defineJob(isFair ? { ...base, fairness: { key: customerOf } } : base);
  const handler = job.handler(async ({ payload: { customer, name } }) => {
    starts.push(name);
    const now = (running.get(customer) ?? 0) + 1;
    running.set(customer, now);
    most.set(customer, Math.max(most.get(customer) ?? 0, now));
    try {
      await gate.opened;
      const left = failures.get(name) ?? 0;
      failures.set(name, left - 1);
      if (left === Number.POSITIVE_INFINITY) throw new PermanentError("on request");
      if (left > 0) throw new Error("on request");
      return {};
    } finally {
      running.set(customer, (running.get(customer) ?? 1) - 1);
    }
  });
  const application = defineConfig({ jobs: [job], handlers: async () => [handler] });
  const service = createService(application, variables);
  const submit = async (
    customer: string,
    names: readonly string[],
    options: { delayMs?: number; startWithinMs?: number } = {},
  ) => {
    const producer = await service.createProducer();
    const submissions = names.map((name) => ({
      payload: { customer, name },
      idempotencyKey: `${customer}-${name}`,
      ...options,
    }));
    const results = await producer.submitMany(job, submissions);
    return results.map((result) => {
      if (result instanceof Error) throw result;
      return result.id;
    });
  };
  return { application, service, starts, most, gate, failures, submit, job };
}

const keysOf = ({ env }: Service) => queueKeys(env.HOLDFAST_PREFIX, "bills");

/** Waits until nothing is left but the jobs that have ended. */
async function untilNoLaneIsLeft(service: Service): Promise<void> {
  const store = service.connect();
  const { start, own } = keysOf(service);
  const lanes = own("lanes");
  await until("no lane is left", async () => {
    const left = await store.keys(`${start}lane:*`);
    return left.length === 0 && (await store.exists(lanes)) === 0;
  });
}

/** How many jobs each lane has. */
async function laneSizes(service: Service): Promise<number[]> {
  const store = service.connect();
  const lanes = await store.keys(`${keysOf(service).start}lane:*`);
  return await Promise.all(lanes.map((lane) => store.zcard(lane)));
}

async function untilPast(submittedAt: string, ms: number): Promise<void> {
  await until("its time has passed", () => Date.now() > Date.parse(submittedAt) + ms);
}

async function endTimes(store: Redis, ids: readonly string[], keys: QueueKeys): Promise<number[]> {
  const found = await Promise.all(ids.map((id) => store.hget(keys.job(id), "finishedOn")));
  return found.map(Number);
}

const storesOf = (service: Service) => plainStores(service.connect(), service.env.HOLDFAST_PREFIX);
const storeOf = (service: Service) => storesOf(service).of("bills");
const silent = createLogger("silent", "worker");

const numbered = (count: number, prefix = "") => Array.from({ length: count }, (_, at) => `${prefix}${at}`);

describe.concurrent("jobs of one key", () => {
  it("run one at a time in order of submission, retries included, and leave nothing in Redis", async () => {
    const world = keyed({ variables: { HOLDFAST_CONCURRENCY: "10" } });
    const { service, starts, most, gate, failures, submit } = world;
    failures.set("a1", 1);
    failures.set("a3", Number.POSITIVE_INFINITY);
    gate.open();
    await service.startWorker();
    await service.startWorker();
    const [a, b] = [numbered(20, "a"), numbered(20, "b")];
    await Promise.all([submit("a", a), submit("b", b)]);
    // The sweep alone would let one in every two seconds.
    await until("all have started", () => starts.length === 41, 20_000);

    expect(starts.filter((name) => name.startsWith("a"))).toEqual(["a0", "a1", ...a.slice(1)]);
    expect(starts.filter((name) => name.startsWith("b"))).toEqual(b);
    expect([...most.values()]).toEqual([1, 1]);
    await untilNoLaneIsLeft(service);
  });

  it("run so many at a time as the limit says, on all workers together", async () => {
    const { service, starts, most, gate, submit } = keyed({ limit: 3 });
    await service.startWorker();
    await service.startWorker();
    const ids = await submit("a", numbered(8));
    const producer = await service.createProducer();
    await until("three have started", () => starts.length === 3);
    await untilState(producer, ids[7] ?? "", "waiting");
    expect(starts).toHaveLength(3);
    gate.open();
    for (const id of ids) await untilState(producer, id, "completed");

    expect(most.get("a")).toBe(3);
    expect(starts.slice(0, 3).sort()).toEqual(["0", "1", "2"]);
    await untilNoLaneIsLeft(service);
  });
});

describe.concurrent("a held job", () => {
  it("is waiting, and says behind how many others", async () => {
    const world = keyed();
    const [first, second, third] = await world.submit("a", numbered(3));
    const producer = await world.service.createProducer();
    const status = async (id = "") => await producer.status(id);
    expect(await status(first)).not.toHaveProperty("held");
    expect(await status(second)).toMatchObject({ state: "waiting", held: { behind: 1, limit: 1 } });
    expect(await status(third)).toMatchObject({ state: "waiting", held: { behind: 2, limit: 1 } });
    const operator = await world.service.createOperator();
    const { jobs } = await operator.list({ state: "waiting", limit: 10 });
    expect(jobs[0]?.id).toBe(first);
    expect(new Set(jobs.map(({ id }) => id))).toEqual(new Set([first, second, third]));
  });

  it("can be cancelled, as can the one before it", async () => {
    const world = keyed();
    const { service, starts, gate, submit } = world;
    const [first = "", second = "", third = ""] = await submit("a", numbered(3));
    const operator = await world.service.createOperator();
    await operator.cancel(second);
    const producer = await service.createProducer();
    expect(await producer.status(third)).toMatchObject({ held: { behind: 1 } });
    await operator.cancel(first);
    expect(await producer.status(third)).not.toHaveProperty("held");
    gate.open();
    await service.startWorker();
    await untilState(producer, third, "completed");
    expect(starts).toEqual(["2"]);
    await untilNoLaneIsLeft(service);
  });

  it("expires if it is not begun in time", async () => {
    const { service, starts, gate, submit } = keyed();
    const [first = "", second = ""] = [
      ...(await submit("a", ["0"])),
      ...(await submit("a", ["1"], { startWithinMs: 50 })),
    ];
    await service.startWorker();
    await until("the first has started", () => starts.length === 1);
    const producer = await service.createProducer();
    await untilPast((await producer.status(second))?.submittedAt ?? "", 50);
    gate.open();

    expect(await untilState(producer, second, "failed")).toMatchObject({ error: { code: "EXPIRED" } });
    await untilState(producer, first, "completed");
    expect(starts).toEqual(["0"]);
  });

  it("is in a state that BullMQ knows", async () => {
    const { service, submit } = keyed();
    const [, second = ""] = await submit("a", numbered(2));
    const queue = service.openBareQueue("bills");
    expect(await queue.getJobState(second)).toBe("waiting-children");
    expect(await queue.getJobCounts()).toMatchObject({ waiting: 1, "waiting-children": 1 });
  });
});

describe.concurrent("a job that is under way", () => {
  it("holds the others while it is delayed, and they keep their order", async () => {
    const { service, starts, gate, submit } = keyed();
    gate.open();
    await service.startWorker();
    const ids = [...(await submit("a", ["late"], { delayMs: 300 })), ...(await submit("a", numbered(2)))];
    const producer = await service.createProducer();
    for (const id of ids) await untilState(producer, id, "completed");
    expect(starts).toEqual(["late", "0", "1"]);
  });

  it("gives way to the next one for good, and joins the lane again at its end if it is retried by hand", async () => {
    const world = keyed();
    const { service, starts, gate, failures, submit } = world;
    failures.set("bad", Number.POSITIVE_INFINITY);
    gate.open();
    const worker = await service.startWorker();
    const [bad = ""] = await submit("a", ["bad"]);
    const producer = await service.createProducer();
    await untilState(producer, bad, "failed");
    await worker.stop();
    const [next = "", last = ""] = await submit("a", ["next", "last"]);
    failures.delete("bad");
    const operator = await world.service.createOperator();
    await operator.retry(bad);

    expect(await producer.status(bad)).toMatchObject({ state: "waiting", held: { behind: 2 } });
    await service.startWorker();
    for (const id of [next, last, bad]) await untilState(producer, id, "completed");
    expect(starts).toEqual(["bad", "next", "last", "bad"]);
    await untilNoLaneIsLeft(service);
  });

  it("lets another one in if it is removed by another tool", async () => {
    const { service, starts, gate, submit } = keyed();
    const [first = "", second = "", third = ""] = await submit("a", numbered(3));
    const queue = service.openBareQueue("bills");
    await queue.remove(first);
    await queue.remove(second);
    gate.open();
    await service.startWorker();
    const producer = await service.createProducer();
    await untilState(producer, third, "completed");
    expect(starts).toEqual(["2"]);
    await untilNoLaneIsLeft(service);
  });

  it("may be a duplicate's: that adds nothing to the lane", async () => {
    const { service, gate, submit } = keyed();
    const ids = await submit("a", numbered(2));
    expect(await submit("a", numbered(2))).toEqual(ids);
    expect(await laneSizes(service)).toEqual([2]);
    gate.open();
    await service.startWorker();
    const producer = await service.createProducer();
    for (const id of ids) await untilState(producer, id, "completed");
    await untilNoLaneIsLeft(service);
  });
});

describe.concurrent("lanes", () => {
  it("work beside fairness", async () => {
    const { service, starts, most, gate, submit } = keyed({
      isFair: true,
      variables: { HOLDFAST_CONCURRENCY: "2" },
    });
    gate.open();
    const ids = [...(await submit("a", numbered(10, "a"))), ...(await submit("b", numbered(3, "b")))];
    await service.startWorker();
    const producer = await service.createProducer();
    for (const id of ids) await untilState(producer, id, "completed");

    expect(starts.filter((name) => name.startsWith("a"))).toEqual(numbered(10, "a"));
    expect(starts.filter((name) => name.startsWith("b"))).toEqual(numbered(3, "b"));
    expect(starts.indexOf("b2")).toBeLessThan(8);
    expect([...most.values()]).toEqual([1, 1]);
  });

  it("go on when a bare BullMQ worker runs their jobs", async () => {
    const { service, submit } = keyed();
    const ids = await submit("a", numbered(3));
    const seen: string[] = [];
    const bare = new Worker(bullmqQueueName("bills"), async ({ data }) => void seen.push(data.payload.name), {
      connection: service.connect(),
      prefix: service.env.HOLDFAST_PREFIX,
    });
    onTestFinished(() => bare.close());
    await until("the first has run", () => seen.length === 1);
    const sweep = startLaneSweep({ store: storeOf(service), log: silent });
    onTestFinished(() => sweep.stop());
    await until("all have run", () => seen.length === 3);

    expect(seen).toEqual(numbered(3));
    const producer = await service.createProducer();
    for (const id of ids) await untilState(producer, id, "completed");
  });

  it("let nobody in for an end that did not happen", async () => {
    const { service, submit } = keyed();
    const [first = "", second = ""] = await submit("a", numbered(2));
    const producer = await service.createProducer();
    const { held } = (await producer.status(second)) ?? {};
    await openLetNextIn(storeOf(service))({ id: first, lane: held?.lane ?? "" });
    expect(await producer.status(second)).toMatchObject({ held: { behind: 1 } });
  });

  it("are refused in a queue that has partitions", async () => {
    const { application, service, job } = keyed();
    expect(() =>
      defineConfig({ jobs: [job], handlers: async () => [], queues: { bills: { partitions: 2 } } }),
    ).toThrow('job "bill": concurrency: expected a queue without partitions, got "bills", which has 2');

    const settings = readSettings(service.env);
    await divideQueue(storesOf(service), settings.HOLDFAST_PREFIX, "bills", 2);
    await expect(createProducer(application, service.env)).rejects.toMatchObject({
      code: "APPLICATION_INVALID",
      message: expect.stringContaining("which has 2"),
    });
  });

  it.each([
    ["no text", () => undefined, "got undefined"],
    ["an empty text", () => "", "got 0 characters"],
    ["a long text", () => "x".repeat(256), "got 256 characters"],
  ])("are refused without a key: %s", async (_, key, message) => {
    const job = defineJob({ ...definition, concurrency: { key: key as () => string, limit: 1 } });
    const service = createService(defineConfig({ jobs: [job], handlers: async () => [] }));
    const producer = await service.createProducer();
    await expect(producer.submit(job, { customer: "a" }, { idempotencyKey: "k" })).rejects.toMatchObject({
      code: "INVALID_PAYLOAD",
      message: expect.stringContaining(`concurrency.key: expected to return 1 to 255 characters, ${message}`),
    });
  });

  it("go on after workers were killed, in order, with no job lost", withProcesses, async () => {
    const service = createService(keyedApplication, {});
    const producer = await service.createProducer();
    const config = fileURLToPath(new URL("../../support/fixtures/keyed.config.ts", import.meta.url));
    const env = { ...service.env, HOLDFAST_CONFIG: config, HOLDFAST_LOCK_MS: "1000" };
    const submissions = Array.from({ length: 48 }, (_, index) => ({
      payload: { customer: `c${index % 6}`, takesMs: 200 },
      idempotencyKey: `job-${index}`,
    }));
    const ids = (await producer.submitMany(bill, submissions)).map((result) =>
      "id" in result ? result.id : "",
    );
    const store = service.connect();
    const { completed, active } = keysOf(service);
    const first = await launchRole("worker", env);
    await until(
      "some have run, and others run",
      async () => (await store.zcard(completed)) >= 6 && (await store.llen(active)) > 0,
      60_000,
    );
    first.kill("SIGKILL");
    await first.ended;
    await launchRole("worker", env);
    await until("all have run", async () => (await store.zcard(completed)) === ids.length, 60_000);

    const order = await store.zrange(completed, "0", "-1");
    for (let customer = 0; customer < 6; customer += 1) {
      const own = ids.filter((_, index) => index % 6 === customer);
      const ended = await endTimes(store, own, keysOf(service));
      expect(ended).toEqual([...ended].sort((a, b) => a - b));
    }
    expect(new Set(order)).toEqual(new Set(ids));
    await untilNoLaneIsLeft(service);
  });
});
