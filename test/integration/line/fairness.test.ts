import { fileURLToPath } from "node:url";
import { Worker } from "bullmq";
import { defineConfig, defineJob, PermanentError } from "holdfast";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { bullmqQueueName, queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import errands, { definition, errand } from "../../support/fixtures/fair.config.ts";
import { latch } from "../../support/latch.ts";
import { launchRole, withProcesses } from "../../support/processes.ts";
import { createService, type Service, untilState, type Variables } from "../../support/service.ts";
import { until } from "../../support/until.ts";

type Payload = { readonly tenant: string };

/** An application whose jobs note whose they are when they start, and wait for a gate. */
function shared(variables: Variables = {}) {
  const starts: string[] = [];
  const gate = latch();
  const outcome = { fails: false };
  const job = defineJob({
    ...definition,
    payload: z.strictObject({ tenant: z.string() }),
    fairness: { key: ({ tenant }) => tenant, weight: (tenant) => (tenant === "heavy" ? 3 : 1) },
  });
  const handler = job.handler(async ({ payload }) => {
    starts.push(payload.tenant);
    await gate.opened;
    if (outcome.fails) throw new PermanentError("on request");
    return {};
  });
  const application = defineConfig({ jobs: [job], handlers: async () => [handler] });
  const service = createService(application, variables);
  let submitted = 0;
  const fill = async (
    count: number,
    payload: Payload,
    options: { priority?: number; delayMs?: number } = {},
  ) => {
    const producer = await service.createProducer();
    const submissions = Array.from({ length: count }, () => {
      submitted += 1;
      return { payload, idempotencyKey: `job-${submitted}`, ...options };
    });
    const results = await producer.submitMany(job, submissions);
    return results.map((result) => {
      if (result instanceof Error) throw result;
      return result.id;
    });
  };
  return { application, service, starts, gate, outcome, fill };
}

const keysOf = ({ env }: Service) => queueKeys(env.HOLDFAST_PREFIX, "errands");

async function untilStarted(starts: readonly string[], count: number): Promise<void> {
  await until(`${count} jobs have started`, () => starts.length >= count, 60_000);
}

describe("a queue that is shared fairly", () => {
  it("starts another tenant's job next, however many of one tenant wait", async () => {
    const slots = 4;
    const { service, starts, gate, fill } = shared({ HOLDFAST_CONCURRENCY: String(slots) });
    await fill(10_000, { tenant: "large" });
    await service.startWorker();
    await untilStarted(starts, slots);
    await fill(1, { tenant: "small" });
    gate.open();

    await until("the small tenant's job has started", () => starts.includes("small"));
    expect(starts.indexOf("small") - slots).toBeLessThan(slots + 1);
  });

  it("starts jobs by weight while tenants have some", async () => {
    const { service, starts, gate, fill } = shared({ HOLDFAST_CONCURRENCY: "1" });
    await fill(300, { tenant: "heavy" });
    await fill(300, { tenant: "light" });
    gate.open();
    await service.startWorker();
    await untilStarted(starts, 400);

    const light = starts.slice(0, 400).filter((tenant) => tenant === "light").length;
    expect(light).toBeGreaterThan(95);
    expect(light).toBeLessThan(105);
  });

  it("is fair within a priority, and jobs without one have the first", async () => {
    const { service, starts, gate, fill } = shared({ HOLDFAST_CONCURRENCY: "1" });
    await fill(3, { tenant: "a" }, { priority: 2 });
    await fill(2, { tenant: "b" }, { priority: 2 });
    await fill(2, { tenant: "a" });
    await fill(1, { tenant: "c" }, { priority: 1 });
    gate.open();
    await service.startWorker();
    await untilStarted(starts, 8);

    expect(starts.join("")).toBe("acaababa");
  });

  it("puts jobs that are retried by hand in their tenant's turns", async () => {
    const { service, starts, gate, outcome, fill } = shared({ HOLDFAST_CONCURRENCY: "1" });
    const operator = await service.createOperator();
    const producer = await service.createProducer();
    outcome.fails = true;
    gate.open();
    const worker = await service.startWorker();
    const ids = [...(await fill(10, { tenant: "a" })), ...(await fill(3, { tenant: "b" }))];
    for (const id of ids) await untilState(producer, id, "failed");
    await worker.stop();
    outcome.fails = false;
    for (const id of ids) await operator.retry(id);
    await service.startWorker();
    await untilStarted(starts, 26);

    expect(starts.slice(13).lastIndexOf("b")).toBeLessThan(7);
  });

  it("starts retried and delayed jobs early, and new tenants beside them", async () => {
    const { service, starts, gate, fill } = shared({ HOLDFAST_CONCURRENCY: "1" });
    await fill(20, { tenant: "large" });
    const delayed = await fill(3, { tenant: "late" }, { delayMs: 1 });
    const keys = keysOf(service);
    const store = service.connect();
    await service.startWorker();
    await until("they are due", async () => (await store.zcard(keys.delayed)) === 0);
    await fill(1, { tenant: "new" });
    gate.open();
    await untilStarted(starts, 24);

    expect(delayed).toHaveLength(3);
    expect(starts.lastIndexOf("late")).toBeLessThan(10);
    expect(starts.indexOf("new")).toBeLessThan(5);
  });

  it("never lets a class run into the next one, and keeps its jobs in order", async () => {
    const { service, starts, gate, fill } = shared({ HOLDFAST_CONCURRENCY: "1" });
    const store = service.connect();
    const { start, prioritized } = keysOf(service);
    await fill(1, { tenant: "a" });
    const [tenant = ""] = await store.zrange(`${start}fair:1`, "0", "0");
    await store.zadd(`${start}fair:1`, 2 ** 32 - 2, tenant);
    await fill(20, { tenant: "a" });
    await fill(1, { tenant: "later" }, { priority: 2 });

    const [, score] = await store.zrange(prioritized, "-1", "-1", "WITHSCORES");
    expect(Number(score)).toBe(2 * 2 ** 32 + 1);
    gate.open();
    await service.startWorker();
    await untilStarted(starts, 22);
    expect(starts.at(-1)).toBe("later");
  });

  it("forgets tenants without jobs, and stores no tenant's name", async () => {
    const { service, gate, fill, starts } = shared({
      HOLDFAST_ENCRYPTION_KEYS: `2026:${Buffer.alloc(32, 7).toString("base64")}`,
    });
    for (let index = 0; index < 50; index += 1) await fill(1, { tenant: `secret-tenant-${index}` });
    const store = service.connect();
    const { start } = keysOf(service);
    const [id = ""] = await store.zrange(`${start}prioritized`, "0", "0");
    const members = await store.zrange(`${start}fair:1`, "0", "-1");
    expect(members).toHaveLength(50);
    expect(JSON.stringify([members, await store.hgetall(`${start}${id}`)])).not.toContain("secret-tenant");

    gate.open();
    await service.startWorker();
    await untilStarted(starts, 50);
    await fill(1, { tenant: "another" });
    expect(await store.zcard(`${start}fair:1`)).toBe(1);
  });
});

describe("a tenant's name", () => {
  const refused = async (fairness: Record<string, unknown>) => {
    const job = defineJob({ ...definition, fairness: fairness as never });
    const service = createService(defineConfig({ jobs: [job], handlers: async () => [] }));
    const producer = await service.createProducer();
    return await producer
      .submit(job, { tenant: "t" }, { idempotencyKey: "k" })
      .catch((error: unknown) => error);
  };

  it.each([
    [
      "nothing",
      { key: () => undefined },
      "fairness.key: expected to return 1 to 255 characters, got undefined",
    ],
    [
      "an empty text",
      { key: () => "" },
      "fairness.key: expected to return 1 to 255 characters, got 0 characters",
    ],
    ["a long text", { key: () => "x".repeat(256) }, "1 to 255 characters, got 256 characters"],
    [
      "an error",
      {
        key: () => {
          throw new Error("no");
        },
      },
      "fairness.key: expected to return, but it threw",
    ],
    [
      "weight 0",
      { key: () => "a", weight: () => 0 },
      "fairness.weight: expected to return 0.01 to 100, got 0",
    ],
    ["no weight", { key: () => "a", weight: () => Number.NaN }, "expected to return 0.01 to 100, got NaN"],
  ])("is refused if it is wrong: %s", async (_, fairness, message) => {
    expect(await refused(fairness)).toMatchObject({
      code: "INVALID_PAYLOAD",
      message: expect.stringContaining(message),
    });
  });

  it("is made from the payload as the schema parsed it", async () => {
    const job = defineJob({
      ...definition,
      payload: z.strictObject({ tenant: z.string().default("nobody") }),
      fairness: { key: ({ tenant }) => tenant },
    });
    const service = createService(defineConfig({ jobs: [job], handlers: async () => [] }));
    const producer = await service.createProducer();
    await producer.submit(job, {}, { idempotencyKey: "k" });
    expect(await service.connect().zcard(keysOf(service).prioritized)).toBe(1);
  });

  it("must come from a function", () => {
    expect(() => defineJob({ ...definition, fairness: { key: "tenant" as never } })).toThrow(
      'job "errand": fairness.key: expected a function',
    );
  });
});

describe("fair jobs", () => {
  it("run in a bare BullMQ worker, in turns", async () => {
    const { service, fill } = shared();
    await fill(3, { tenant: "a" });
    await fill(3, { tenant: "b" });
    const seen: string[] = [];
    const worker = new Worker(
      bullmqQueueName("errands"),
      async ({ data, priority }) => void seen.push(`${data.payload.tenant}${priority}`),
      { connection: service.connect(), prefix: service.env.HOLDFAST_PREFIX },
    );
    onTestFinished(() => worker.close());
    await until("all have run", () => seen.length === 6);

    expect(seen).toEqual(["a1", "b1", "a1", "b1", "a1", "b1"]);
  });

  it(
    "survive a killed worker: none is lost, and a small tenant is not behind the large one",
    withProcesses,
    async () => {
      const service = createService(errands, { HOLDFAST_CONCURRENCY: "5" });
      const producer = await service.createProducer();
      const config = fileURLToPath(new URL("../../support/fixtures/fair.config.ts", import.meta.url));
      const env = { ...service.env, HOLDFAST_CONFIG: config, HOLDFAST_LOCK_MS: "1000" };
      const submit = async (tenant: string, count: number) =>
        (
          await producer.submitMany(
            errand,
            Array.from({ length: count }, (_, index) => ({
              payload: { tenant, takesMs: 20 },
              idempotencyKey: `${tenant}-${index}`,
            })),
          )
        ).map((result) => ("id" in result ? result.id : ""));
      const large = await submit("large", 300);
      const store = service.connect();
      const { completed, active } = keysOf(service);
      const first = await launchRole("worker", env);
      await until("some have run", async () => (await store.zcard(completed)) > 20, 60_000);
      first.kill("SIGKILL");
      await first.ended;
      const cut = await store.llen(active);
      const small = await submit("small", 5);
      await launchRole("worker", env);
      await until("all have run", async () => (await store.zcard(completed)) === 305, 60_000);

      expect(cut).toBeGreaterThan(0);
      const order = await store.zrange(completed, "0", "-1");
      expect(new Set(order)).toEqual(new Set([...large, ...small]));
      expect(Math.max(...small.map((id) => order.indexOf(id)))).toBeLessThan(200);
    },
  );
});
