import { createOperator, defineConfig, defineJob, PermanentError } from "holdfast";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { queueKeys } from "../../src/queue/queue-keys.ts";
import { definition } from "../support/fixtures/keyed.config.ts";
import { latch } from "../support/latch.ts";
import { createService, type Service, untilState, type Variables } from "../support/service.ts";
import { until } from "../support/until.ts";

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
  const submit = async (customer: string, names: readonly string[], options: { delayMs?: number } = {}) => {
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

async function operatorOf({ application, service }: ReturnType<typeof keyed>) {
  const operator = await createOperator(application, service.env);
  onTestFinished(() => operator.stop());
  return operator;
}

/** Waits until nothing is left but the jobs that have ended. */
async function untilNoLaneIsLeft(service: Service): Promise<void> {
  const store = service.connect();
  const { start, lanes } = keysOf(service);
  await until("no lane is left", async () => {
    const left = await store.keys(`${start}lane:*`);
    return left.length === 0 && (await store.exists(lanes)) === 0;
  });
}

const numbered = (count: number, prefix = "") => Array.from({ length: count }, (_, at) => `${prefix}${at}`);

describe("jobs of one key", () => {
  it("run one at a time in order of submission, retries included, and leave nothing in Redis", async () => {
    const world = keyed({ variables: { HOLDFAST_CONCURRENCY: "10" } });
    const { service, starts, most, gate, failures, submit } = world;
    failures.set("a1", 1);
    failures.set("a3", Number.POSITIVE_INFINITY);
    gate.open();
    await service.startWorker();
    await service.startWorker();
    await Promise.all([submit("a", numbered(6, "a")), submit("b", numbered(6, "b"))]);
    await until("all have started", () => starts.length === 13, 20_000);

    expect(starts.filter((name) => name.startsWith("a"))).toEqual(["a0", "a1", "a1", "a2", "a3", "a4", "a5"]);
    expect(starts.filter((name) => name.startsWith("b"))).toEqual(numbered(6, "b"));
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

describe("a held job", () => {
  it("is waiting, and says behind how many others", async () => {
    const world = keyed();
    const [first, second, third] = await world.submit("a", numbered(3));
    const producer = await world.service.createProducer();
    const status = async (id = "") => await producer.status(id);
    expect(await status(first)).not.toHaveProperty("held");
    expect(await status(second)).toMatchObject({ state: "waiting", held: { behind: 1, limit: 1 } });
    expect(await status(third)).toMatchObject({ state: "waiting", held: { behind: 2, limit: 1 } });
    const operator = await operatorOf(world);
    const { jobs } = await operator.list({ state: "waiting", limit: 10 });
    expect(jobs.map(({ id }) => id)).toEqual([first, second, third]);
  });

  it("can be cancelled, as can the one before it", async () => {
    const world = keyed();
    const { service, starts, gate, submit } = world;
    const [first = "", second = "", third = ""] = await submit("a", numbered(3));
    const operator = await operatorOf(world);
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
});
