import { existsSync } from "node:fs";
import { createProducer, defineConfig, defineJob, defineSchedule } from "holdfast";
import { startTestHoldfast } from "holdfast/testing";
import { Redis } from "ioredis";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { z } from "zod";
import { readSettings } from "../../../src/platform/config/settings.ts";
import { latch } from "../../support/latch.ts";
import { until } from "../../support/until.ts";

const HOUR_MS = 60 * 60 * 1000;
const base = {
  result: z.unknown(),
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: HOUR_MS } },
  timeoutMs: 60_000,
} as const;

const order = defineJob({
  ...base,
  type: "order",
  payload: z.strictObject({
    customer: z.strictObject({ name: z.string(), age: z.int() }),
    failures: z.int().default(0),
  }),
});
const report = defineJob({
  ...base,
  type: "report",
  queue: "slow",
  payload: z.strictObject({ at: z.string() }),
});

const runs: string[] = [];

const application = defineConfig({
  jobs: [order, report],
  handlers: async () => [
    order.handler(async ({ payload, attempt, jobId }) => {
      runs.push(jobId);
      if (attempt <= payload.failures) throw new Error(`attempt ${attempt} fails`);
      return { greeted: payload.customer.name };
    }),
    report.handler(async ({ payload }) => payload.at),
  ],
  schedules: [
    defineSchedule({
      name: "hourly-report",
      cron: "0 * * * *",
      timeZone: "UTC",
      job: report,
      payload: ({ at }) => ({ at: at.toISOString() }),
    }),
  ],
});

async function start(options: Parameters<typeof startTestHoldfast>[1] = {}, of = application) {
  const holdfast = await startTestHoldfast(of, { redisUrl: inject("redisUrl"), ...options });
  onTestFinished(() => holdfast.stop());
  return holdfast;
}

const ann = { customer: { name: "Ann", age: 41 } };

describe("a Holdfast for tests", () => {
  it("runs jobs on an embedded server, which is gone after its stop", async () => {
    const holdfast = await startTestHoldfast(application);
    const directory = holdfast.env.HOLDFAST_DATA_DIR ?? "";
    const { id } = await holdfast.submit(order, ann);

    expect(await holdfast.job(id).completed()).toEqual({ greeted: "Ann" });
    expect(await holdfast.job(id).status()).toMatchObject({ state: "completed", attemptsMade: 1 });

    expect(existsSync(directory)).toBe(true);
    await holdfast[Symbol.asyncDispose]();
    expect(existsSync(directory)).toBe(false);
  });

  it("leaves no key in a given Redis", async () => {
    const holdfast = await start();
    await holdfast.submit(order, ann);
    await holdfast.drain();
    await holdfast.stop();

    const client = new Redis(inject("redisUrl"));
    onTestFinished(() => client.disconnect());
    expect(await client.keys(`${holdfast.env.HOLDFAST_PREFIX}:*`)).toEqual([]);
  });

  it("finds what anybody submitted, by a part of its payload", async () => {
    const holdfast = await start();
    await holdfast.submit(order, ann, { idempotencyKey: "ann" });
    await holdfast.submit(order, ann, { idempotencyKey: "ann" });
    await using producer = await createProducer(application, holdfast.env);
    await producer.submit(order, { customer: { name: "Bob", age: 41 } }, { idempotencyKey: "bob" });
    await holdfast.drain();

    expect(await holdfast.submitted(order)).toHaveLength(2);
    expect(await holdfast.submitted(order, { customer: { name: "Ann" } })).toEqual([
      { id: expect.any(String), idempotencyKey: "ann", payload: ann },
    ]);
    expect(await holdfast.submitted(order, { customer: { age: 12 } })).toEqual([]);
    expect(await holdfast.submitted(report)).toEqual([]);
  });

  it("makes delays and backoffs pass, and nothing before its time", async () => {
    const holdfast = await start();
    const { id } = await holdfast.submit(order, { ...ann, failures: 2 }, { delayMs: HOUR_MS });
    await holdfast.drain();
    await holdfast.clock.advance(HOUR_MS - 10_000);
    await holdfast.drain();
    expect(await holdfast.job(id).status()).toMatchObject({ state: "delayed", attemptsMade: 0 });

    await holdfast.clock.advance(10_000);
    await holdfast.drain();
    expect(await holdfast.job(id).status()).toMatchObject({ state: "delayed", attemptsMade: 1 });
    await holdfast.clock.advance(HOUR_MS);
    await holdfast.drain();
    await holdfast.clock.advance(HOUR_MS);
    expect(await holdfast.job(id).completed()).toEqual({ greeted: "Ann" });
    expect(runs.filter((run) => run === id)).toHaveLength(3);
  });

  it("understands runAt by its own clock", async () => {
    const holdfast = await start();
    await holdfast.clock.advance(10 * HOUR_MS);
    const runAt = new Date(holdfast.clock.now().getTime() + HOUR_MS);
    const { id } = await holdfast.submit(order, ann, { runAt });
    await holdfast.drain();
    expect(await holdfast.job(id).status()).toMatchObject({ state: "delayed" });

    await holdfast.clock.advanceTo(runAt);
    await holdfast.job(id).completed();
  });

  it("submits each tick of a schedule that the clock passes, once", async () => {
    const holdfast = await start();
    const next = Math.ceil(holdfast.clock.now().getTime() / HOUR_MS) * HOUR_MS;
    const hours = [next, next + HOUR_MS, next + 2 * HOUR_MS].map((at) => new Date(at).toISOString());

    await holdfast.clock.advanceTo(new Date(next));
    await holdfast.clock.advance(2 * HOUR_MS);
    await holdfast.drain();

    const submitted = await holdfast.submitted(report);
    expect(submitted.map(({ payload }) => payload.at)).toEqual(hours);
    expect(submitted[0]?.idempotencyKey).toBe(`schedule:hourly-report:${hours[0]}`);
  });

  it("also brings jobs forward that are held for others of their key", async () => {
    const single = defineJob({
      ...base,
      type: "single",
      payload: z.strictObject({ name: z.string() }),
      concurrency: { key: () => "one", limit: 1 },
    });
    const handler = single.handler(async ({ payload }) => payload.name);
    const holdfast = await start({}, defineConfig({ jobs: [single], handlers: async () => [handler] }));
    const names = ["a", "b"];
    const jobs = await Promise.all(
      names.map((name) => holdfast.submit(single, { name }, { idempotencyKey: name, delayMs: HOUR_MS })),
    );
    await holdfast.clock.advance(HOUR_MS);
    expect(await Promise.all(jobs.map(({ id }) => holdfast.job(id).completed()))).toEqual(names);
  });

  it("drains what a rate lets start, and brings the others forward with the clock", async () => {
    const rated = defineJob({
      ...base,
      type: "rated",
      payload: z.strictObject({ name: z.string() }),
      rate: { key: () => "one", limit: "2/1h" },
    });
    const ran: string[] = [];
    const handler = rated.handler(async ({ payload: { name } }) => {
      ran.push(name);
      return name;
    });
    const holdfast = await start({}, defineConfig({ jobs: [rated], handlers: async () => [handler] }));
    for (const name of ["a", "b", "c", "d", "e"])
      await holdfast.submit(rated, { name }, { idempotencyKey: name });
    await holdfast.drain();
    expect(ran.sort()).toEqual(["a", "b"]);
    await holdfast.clock.advance(HOUR_MS);
    await until("the next ones have run", () => ran.length === 4);
    await holdfast.drain();
    expect(ran.slice(2).sort()).toEqual(["c", "d"]);
  });

  it("submits a tick that waits for an earlier job when that ends, as a scheduler does", async () => {
    const gate = latch();
    const queueing = defineConfig({
      jobs: [report],
      handlers: async () => [report.handler(() => gate.opened)],
      schedules: [
        defineSchedule({
          name: "one-by-one",
          everyMs: HOUR_MS,
          overlap: "queue-one",
          job: report,
          payload: ({ at }) => ({ at: at.toISOString() }),
        }),
      ],
    });
    const holdfast = await start({}, queueing);
    const next = Math.ceil(holdfast.clock.now().getTime() / HOUR_MS) * HOUR_MS;
    const hours = [next, next + HOUR_MS].map((at) => new Date(at).toISOString());
    const submitted = async () => (await holdfast.submitted(report)).map(({ payload }) => payload.at);

    await holdfast.clock.advanceTo(new Date(next + HOUR_MS + 1_000));
    expect(await submitted()).toEqual(hours.slice(0, 1));
    gate.open();
    await holdfast.drain();
    expect(await submitted()).toEqual(hours);

    const [first] = await holdfast.submitted(report);
    expect(await holdfast.job(first?.id ?? "").status()).toMatchObject({ state: "completed" });
    // Nothing waits any more.
    await holdfast.clock.advance(1_000);
    await holdfast.drain();
    expect(await submitted()).toEqual(hours);
  });

  it("understands startBy by its own clock, and expires no job by moving it", async () => {
    const holdfast = await start();
    await holdfast.clock.advance(10 * HOUR_MS);
    const now = holdfast.clock.now().getTime();
    const late = await holdfast.submit(order, ann, { startBy: new Date(now - HOUR_MS) });
    const within = await holdfast.submit(order, ann, { delayMs: HOUR_MS, startWithinMs: 60_000 });

    expect(await holdfast.job(late.id).failed()).toMatchObject({ code: "EXPIRED" });
    await holdfast.clock.advance(3 * HOUR_MS);
    await holdfast.job(within.id).completed();
  });

  it("refuses to move further than ten years, and goes on", async () => {
    const holdfast = await start();
    const { clock } = holdfast;
    await expect(clock.advance(1e18)).rejects.toThrow("expected an instant within 10 years, got 1000000");
    await expect(clock.advanceTo(new Date(8.64e15))).rejects.toThrow(RangeError);
    expect(Math.abs(clock.now().getTime() - Date.now())).toBeLessThan(60_000);
  });

  it("refuses to move back", async () => {
    const holdfast = await start();
    await expect(holdfast.clock.advance(-1_000)).rejects.toThrow("ms from now");
    await expect(holdfast.clock.advance(Number.NaN)).rejects.toThrow(RangeError);
  });

  it("names the jobs that do not end in time", async () => {
    const gate = latch();
    const stuck = defineConfig({
      jobs: [order],
      handlers: async () => [order.handler(() => gate.opened)],
    });
    const holdfast = await start({ timeoutMs: 200 }, stuck);
    const { id } = await holdfast.submit(order, ann);

    await expect(holdfast.drain()).rejects.toThrow(`${id} order: active, attempts 0 of 3`);
    await expect(holdfast.job(id).completed()).rejects.toThrow("has not ended");
    gate.open();
    await holdfast.drain();
  });

  it("says why a job failed, or that it has not", async () => {
    const holdfast = await start();
    const failing = await holdfast.submit(order, { ...ann, failures: 3 });
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      await holdfast.drain();
      await holdfast.clock.advance(HOUR_MS);
    }
    expect(await holdfast.job(failing.id).failed()).toMatchObject({ message: "attempt 3 fails" });
    await expect(holdfast.job(failing.id).completed()).rejects.toThrow("HANDLER_FAILED: attempt 3 fails");

    const { id } = await holdfast.submit(order, ann);
    await expect(holdfast.job(id).failed()).rejects.toThrow("The job completed");
    await expect(holdfast.job("no-job").status()).rejects.toThrow("There is no job no-job");
  });

  it("logs nothing between the lines of a test run, unless it is asked to", async () => {
    const levelOf = async (env = {}) => readSettings((await start({ env })).env).HOLDFAST_LOG_LEVEL;

    expect(await levelOf()).toBe("silent");
    expect(await levelOf({ HOLDFAST_LOG_LEVEL: "warn" })).toBe("warn");
  });

  it("does not use this process's own Redis", async () => {
    const holdfast = await start({ env: { HOLDFAST_CONCURRENCY: "1", REDIS_URL: "redis://127.0.0.1:1" } });
    expect(holdfast.env).toMatchObject({ REDIS_URL: inject("redisUrl"), HOLDFAST_CONCURRENCY: "1" });
  });
});
