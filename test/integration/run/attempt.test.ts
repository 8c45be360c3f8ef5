import { type AttemptFunction, defineConfig, type JobContract } from "holdfast";
import { startWorker } from "holdfast/worker";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { queueKey } from "../../../src/core/bullmq/store/queue-keys.ts";
import { anyJob } from "../../support/application.ts";
import { latch } from "../../support/latch.ts";
import {
  applicationOf,
  createService,
  testEnvironment,
  untilState,
  type Variables,
} from "../../support/service.ts";
import { until } from "../../support/until.ts";

/** Submits one job to a service whose worker runs it with `handle`. */
async function start(job: JobContract, handle: AttemptFunction<unknown, unknown>, variables: Variables = {}) {
  const service = createService(applicationOf(job.handler(handle)), variables);
  const producer = await service.createProducer();
  await service.startWorker();
  const { id } = await producer.submit(job, { n: 1 }, { idempotencyKey: "k" });
  return { service, producer, id };
}

async function runToEnd(job: JobContract, handle: AttemptFunction<unknown, unknown>) {
  const { service, producer, id } = await start(job, handle);
  return { service, status: await untilState(producer, id, "completed", "failed") };
}

const forEver = () => new Promise<never>(() => {});

describe("an attempt", () => {
  it("gets the parsed payload, and its own identity", async () => {
    const job = anyJob({ payload: z.strictObject({ n: z.number(), unit: z.string().default("m") }) });

    const { status } = await runToEnd(job, async ({ payload, jobId, idempotencyKey, attempt }) => {
      return { payload, jobId, idempotencyKey, attempt };
    });

    expect(status.result).toEqual({
      payload: { n: 1, unit: "m" },
      jobId: status.id,
      idempotencyKey: "k",
      attempt: 1,
    });
  });

  it("that takes too long has its signal aborted, and is retried", async () => {
    const reasons: unknown[] = [];
    const job = anyJob({ timeoutMs: 50 });

    const { status } = await runToEnd(job, async ({ attempt, signal }) => {
      if (attempt > 1) return "in time";
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      reasons.push(signal.reason);
      throw new Error("interrupted");
    });

    expect(reasons).toEqual([expect.objectContaining({ code: "ATTEMPT_TIMED_OUT" })]);
    expect(status).toMatchObject({ state: "completed", attemptsMade: 2, result: "in time" });
  });

  it("that ignores its signal is abandoned", async () => {
    const job = anyJob({ timeoutMs: 50, retry: { attempts: 2, backoff: { kind: "fixed", delayMs: 0 } } });

    const { status } = await runToEnd(job, forEver);

    expect(status).toMatchObject({
      state: "failed",
      attemptsMade: 2,
      error: {
        code: "ATTEMPT_TIMED_OUT",
        message: "The attempt took longer than its 50 ms",
        retryable: true,
      },
    });
  });

  it("may report progress, in 4 kB at most", async () => {
    const { status } = await runToEnd(anyJob(), async ({ progress }) => {
      await progress(42);
      return await progress({ text: "x".repeat(4_096) }).catch((error: unknown) => String(error));
    });

    expect(status.progress).toBe(42);
    expect(status.result).toMatch(/progress: expected at most 4096 bytes, got \d+/);
  });

  it("may log: the newest 100 lines are kept with the job", async () => {
    const { service, status } = await runToEnd(anyJob(), async ({ log }) => {
      log.debug("not kept");
      for (let line = 1; line <= 120; line += 1) log.info(`line ${line}`, { line });
      log.warn("careful");
      log.error("x".repeat(10_000));
    });

    const queue = service.openBareQueue();
    const { logs } = await until("all lines are kept", async () => {
      const kept = await queue.getJobLogs(status.id);
      return kept.logs.at(-1)?.includes("error xxx") && kept;
    });
    expect(logs).toHaveLength(100);
    expect(logs[0]).toMatch(/^\d{4}-\d\d-\d\dT.+Z info line 23 \{"line":23\}$/);
    expect(logs.at(-2)).toMatch(/ warn careful$/);
    expect(logs.at(-1)).toHaveLength(1_000);
    expect(logs.join()).not.toContain("not kept");
  });
});

describe("a result that does not fit", () => {
  it("fails the job without another attempt", async () => {
    const job = anyJob({ result: z.strictObject({ sum: z.number() }) });

    const { status } = await runToEnd(job, async () => ({ sum: "3" }));

    expect(status).toMatchObject({
      state: "failed",
      attemptsMade: 1,
      result: null,
      error: { code: "RESULT_INVALID", message: expect.stringMatching(/^sum: /), retryable: false },
    });
  });

  it("because it is larger than 64 KiB fails the job, too", async () => {
    const { status } = await runToEnd(anyJob(), async () => "x".repeat(65_536));

    expect(status.error).toMatchObject({
      code: "RESULT_INVALID",
      message: "expected a result of at most 65536 bytes, got 65538",
    });
  });
});

describe("a worker that is older or newer than the producer", () => {
  const job = anyJob();

  it("fails a job whose payload does not fit its contract, without another attempt", async () => {
    const service = createService(defineConfig({ jobs: [job], handlers: async () => [] }));
    const producer = await service.createProducer();
    const { id } = await producer.submit(job, { n: "one" }, { idempotencyKey: "k" });
    let runs = 0;
    const stricter = anyJob({ payload: z.strictObject({ n: z.number() }) });
    const handler = stricter.handler(async () => (runs += 1));
    const worker = createService(applicationOf(handler), service.env);

    await worker.startWorker();

    expect(await untilState(producer, id, "failed")).toMatchObject({
      attemptsMade: 1,
      error: {
        code: "INVALID_PAYLOAD",
        message: expect.stringMatching(/: \/n: .*expected number/),
        retryable: false,
      },
    });
    expect(runs).toBe(0);
  });

  it("leaves a job of an unknown type to a worker that knows it, and uses up no attempt", async () => {
    const newer = anyJob({ type: "newer" });
    const service = createService(defineConfig({ jobs: [newer], handlers: async () => [] }));
    const producer = await service.createProducer();
    const { id } = await producer.submit(newer, 1, { idempotencyKey: "k" });
    const worker = createService(applicationOf(job.handler(async () => 1)), service.env);

    const old = await worker.startWorker();
    expect(await untilState(producer, id, "delayed")).toMatchObject({ attemptsMade: 0, error: null });
    await old.stop();

    const knowing = createService(applicationOf(newer.handler(async () => "run")), service.env);
    await knowing.startWorker();

    expect(await untilState(producer, id, "completed")).toMatchObject({ attemptsMade: 1, result: "run" });
  });

  it("does not start with a job that has no handler or two, or a handler without a job", async () => {
    const b = anyJob({ type: "b" });
    const twice = anyJob({ type: "twice" });
    const handlers = async () => [b, twice, twice].map((job) => job.handler(async () => 1));
    const faulty = defineConfig({ jobs: [anyJob({ type: "a" }), twice], handlers });

    await expect(startWorker(faulty, testEnvironment())).rejects.toMatchObject({
      code: "APPLICATION_INVALID",
      message:
        'job "twice": has several handlers\njob "a": has no handler; add it to what `handlers` of defineConfig returns, or with NestJS a method with @HandlesJob\nhandler "b": its job is not listed in jobs',
    });
  });
});

describe("a job whose lock is lost", () => {
  it("has its attempt aborted, keeps its attempts, and runs again", async () => {
    const [begun, aborted] = [latch(), latch()];
    const seen: unknown[] = [];
    let runs = 0;
    const { service, producer, id } = await start(
      anyJob(),
      async ({ signal, progress }) => {
        runs += 1;
        if (runs > 1) return "by the second";
        begun.open();
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        seen.push(signal.reason, await progress({ by: "the first" }).catch((error: unknown) => error));
        aborted.open();
        return "by the first";
      },
      { HOLDFAST_LOCK_MS: "500" },
    );
    await begun.opened;

    await service.connect().del(queueKey(service.env.HOLDFAST_PREFIX, "default", `${id}:lock`));
    await aborted.opened;

    expect(seen).toEqual([
      expect.objectContaining({ code: "LOCK_LOST" }),
      expect.objectContaining({ code: "LOCK_LOST" }),
    ]);
    expect(await untilState(producer, id, "completed")).toMatchObject({
      attemptsMade: 1,
      progress: null,
      result: "by the second",
      error: null,
    });
  });
});

describe("a worker", () => {
  it("runs no more attempts at a time than its concurrency", async () => {
    const release = latch();
    let [running, most, ended] = [0, 0, 0];
    const job = anyJob();
    const handler = job.handler(async () => {
      running += 1;
      most = Math.max(most, running);
      await release.opened;
      running -= 1;
      ended += 1;
    });
    const service = createService(applicationOf(handler), { HOLDFAST_CONCURRENCY: "3" });
    const producer = await service.createProducer();
    const many = Array.from({ length: 10 }, (_, index) => ({ payload: index, idempotencyKey: `${index}` }));
    await producer.submitMany(job, many);

    await service.startWorker();
    await until("three run", () => running === 3);
    release.open();
    await until("all have ended", () => ended === 10);

    expect(most).toBe(3);
  });

  it("runs as many jobs of each queue as configured", async () => {
    const release = latch();
    const most = new Map<string, number>();
    const running = new Map<string, number>();
    const handlers = ["wide", "narrow"].map((queue) =>
      anyJob({ type: queue, queue }).handler(async () => {
        running.set(queue, (running.get(queue) ?? 0) + 1);
        most.set(queue, Math.max(most.get(queue) ?? 0, running.get(queue) ?? 0));
        await release.opened;
        running.set(queue, (running.get(queue) ?? 0) - 1);
        return "fine";
      }),
    );
    const service = createService(applicationOf(...handlers), { HOLDFAST_CONCURRENCY: "4,narrow=2" });
    const producer = await service.createProducer();
    const many = Array.from({ length: 10 }, (_, index) => ({ payload: index, idempotencyKey: `${index}` }));
    const receipts = (await Promise.all(handlers.map(({ job }) => producer.submitMany(job, many)))).flat();

    await service.startWorker();
    await until("all that may run do", () => running.get("wide") === 4 && running.get("narrow") === 2);
    release.open();
    for (const receipt of receipts) if ("id" in receipt) await untilState(producer, receipt.id, "completed");

    expect(Object.fromEntries(most)).toEqual({ wide: 4, narrow: 2 });
  });

  it("does not start if the configuration names an unknown queue", async () => {
    const service = createService(applicationOf(anyJob().handler(async () => "fine")), {
      HOLDFAST_CONCURRENCY: "20,repots=2",
    });

    await expect(service.startWorker()).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining('expected queues of the application (default), got "repots"'),
    });
  });

  it("keeps running other jobs and other queues while one fails and one hangs", async () => {
    const job = anyJob({ timeoutMs: 60_000 });
    const slow = anyJob({ type: "slow", queue: "slow" });
    const service = createService(
      applicationOf(
        job.handler(async ({ payload, signal }) => {
          if (payload === "fail") throw new Error("as asked");
          if (payload === "hang") await new Promise((resolve) => signal.addEventListener("abort", resolve));
          return "fine";
        }),
        slow.handler(async () => "fine"),
      ),
      { HOLDFAST_STOP_GRACE_MS: "0" },
    );
    const producer = await service.createProducer();
    await service.startWorker();
    const submit = (payload: string) => producer.submit(job, payload, { idempotencyKey: payload });

    const hanging = await submit("hang");
    await untilState(producer, hanging.id, "active");
    const failing = await submit("fail");
    const others = [
      await submit("a"),
      await submit("b"),
      await producer.submit(slow, 1, { idempotencyKey: "k" }),
    ];

    for (const { id } of others)
      expect(await untilState(producer, id, "completed")).toMatchObject({ result: "fine" });
    expect(await untilState(producer, failing.id, "failed")).toMatchObject({ attemptsMade: 3 });
    expect(await producer.status(hanging.id)).toMatchObject({ state: "active" });
  });
});
