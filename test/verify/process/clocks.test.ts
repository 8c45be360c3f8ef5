import { fileURLToPath } from "node:url";
import { type Processor, UnrecoverableError, Worker } from "bullmq";
import { createProducer, startScheduler } from "holdfast";
import { startApi } from "holdfast/server";
import { startWorker } from "holdfast/worker";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { onRedisTime } from "../../../src/core/bullmq/claim/claim-scripts.ts";
import { bullmqQueueName } from "../../../src/core/bullmq/store/queue-keys.ts";
import { application, echo, failing, gated } from "../../support/application.ts";
import { openGate } from "../../support/gate.ts";
import { get, post } from "../../support/http.ts";
import { launchRole, runProcess, withProcesses } from "../../support/processes.ts";
import { createService, testEnvironment, untilState, type Variables } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const DAY_MS = 24 * 60 * 60_000;
const HOUR_MS = 60 * 60_000;
const FIXTURE = fileURLToPath(new URL("../../support/fixtures/jumping-clock.mjs", import.meta.url));

/** The environment of a process with a shifted clock. */
const shifted = (env: Variables, shiftMs: number, more: Readonly<Record<string, string>> = {}) =>
  ({
    ...env,
    NODE_OPTIONS: `--import=${FIXTURE}`,
    TEST_CLOCK_SHIFT_MS: String(shiftMs),
    ...more,
  }) as Variables;

/** Shifts this process's clock until the test ends or `mend` is called. */
function setClockWrong(shiftMs: number): () => void {
  const realNow = Date.now.bind(Date);
  const spy = vi.spyOn(Date, "now").mockImplementation(() => realNow() + shiftMs);
  const mend = () => void spy.mockRestore();
  onTestFinished(mend);
  return mend;
}

const WRONG =
  /This process's clock says \d{4}-\S+Z, Redis's \d{4}-\S+Z: [\d.]+ s (ahead|behind), more than the 2 s allowed\. Remedy: /;

describe("a process whose clock is wrong", withProcesses, () => {
  it.each([
    ["api", 3 * 60_000],
    ["worker", 8 * DAY_MS],
    ["scheduler", -8 * DAY_MS],
  ])("does not start: %s, %d ms", async (role, shiftMs) => {
    const { code, stderr } = await runProcess([role], shifted(testEnvironment(), shiftMs));

    expect(code).toBe(1);
    expect(stderr).toMatch(WRONG);
  });

  it("does not start inside another program, and neither does a producer", async () => {
    setClockWrong(-5_000);
    for (const start of [startApi, startWorker, startScheduler, createProducer]) {
      await expect(start(application, testEnvironment())).rejects.toMatchObject({
        code: "CLOCK_WRONG",
        message: expect.stringMatching(WRONG),
      });
    }
  });

  it("starts if it is off by less than 2 s", async () => {
    const service = createService(application);
    setClockWrong(1_500);
    const producer = await service.createProducer();
    await service.startWorker();
    const { id } = await producer.submit(echo, 1, { idempotencyKey: "k", delayMs: 200 });
    await untilState(producer, id, "completed");
  });
});

const KEPT = 20;

describe.concurrent("a worker whose clock goes wrong while it runs", withProcesses, () => {
  it.each([8 * DAY_MS, -8 * DAY_MS])(
    "claims no more jobs, deletes and hurries none, and goes on by itself when it is right: %d ms",
    async (shiftMs) => {
      const service = createService(application, { HOLDFAST_STUCK_AFTER_MS: "3000" });
      const { url } = await service.startApi();
      const producer = await service.createProducer();
      const worker = await launchRole("worker", shifted(service.env, shiftMs, { TEST_CLOCK_JUMPS: "yes" }));
      const kept = await producer.submitMany(
        failing,
        Array.from({ length: KEPT }, (_, index) => ({ payload: null, idempotencyKey: `${index}` })),
      );
      const ids = kept.map((receipt) => ("id" in receipt ? receipt.id : ""));
      for (const id of ids) await untilState(producer, id, "failed");
      const later = await producer.submit(echo, 1, { idempotencyKey: "later", delayMs: HOUR_MS });
      const running = await producer.submit(gated, service.env.REDIS_URL, { idempotencyKey: "running" });
      const cancelled = await producer.submit(gated, service.env.REDIS_URL, { idempotencyKey: "cancelled" });
      for (const { id } of [running, cancelled]) await untilState(producer, id, "active");

      worker.kill("SIGUSR2");
      await until("it reports that", () => worker.stderr.includes('"code":"CLOCK_WRONG"'));
      const waiting = await producer.submit(echo, 1, { idempotencyKey: "waiting" });
      // Both completed and failed jobs are trimmed by age.
      await post(`${url}/jobs/${cancelled.id}/cancel`, {});
      await openGate(service.env.REDIS_URL, running.id);
      await untilState(producer, cancelled.id, "failed");
      await untilState(producer, running.id, "completed");
      await until("every view shows it", async () => {
        const { status, body } = await get(`${url}/overview`);
        if (status !== 200) return false; // busy
        return (body.workers as { isClockWrong: boolean }[]).some(({ isClockWrong }) => isClockWrong);
      });

      expect(await producer.status(waiting.id)).toMatchObject({ state: "waiting" });
      expect(await producer.status(later.id)).toMatchObject({ state: "delayed" });
      for (const id of ids) expect(await producer.status(id)).toMatchObject({ state: "failed" });
      worker.kill("SIGUSR2");
      await untilState(producer, waiting.id, "completed");
      expect(worker.stderr).toContain("the clock is right again");
      expect(worker.stderr).not.toContain("WORKER_STUCK");
    },
  );
});

describe("an API whose clock goes wrong while it runs", () => {
  it("is not ready, refuses jobs with the reason, and answers reads; it resumes when the clock is right", async () => {
    const service = createService(application);
    const { url } = await service.startApi();
    const submission = (key: string) => ({ type: "echo", payload: 1, idempotencyKey: key });
    const before = await post(`${url}/jobs`, submission("before"));

    const mend = setClockWrong(60_000);

    const refused = await post(`${url}/jobs`, submission("refused"));
    expect(refused).toMatchObject({ status: 503, body: { code: "CLOCK_WRONG" } });
    expect(refused.headers.get("retry-after")).not.toBeNull();
    expect(String(refused.body.detail)).toMatch(WRONG);
    expect(String(refused.body.detail)).toMatch(/nothing was stored/);
    expect((await get(`${url}${before.body.statusUrl}`)).status).toBe(200);
    const health = await get(`${url}/health/ready`);
    expect(health.status).toBe(503);
    expect(String(health.body.reasons)).toMatch(/^clock: .*CLOCK_WRONG/);
    expect(String(health.body.reasons).match(/Remedy|NTP/g)).toEqual(["Remedy", "NTP"]);
    const { store } = (await get(`${url}/overview`)).body as {
      store?: { guarantees: { holds: boolean; detail: string }[] };
    };
    expect(store?.guarantees.filter(({ holds }) => !holds)).toMatchObject([
      { detail: expect.stringMatching(/^CLOCK_WRONG: .*this API process/) },
    ]);
    const { body: text } = await get(`${url}/metrics`);
    const [, offset] = /^holdfast_clock_offset_seconds (\S+)$/m.exec(String(text.text)) ?? [];
    expect(Number(offset)).toBeCloseTo(60, 0);
    mend();
    expect((await post(`${url}/jobs`, submission("refused"))).status).toBe(202);
    expect((await get(`${url}/health/ready`)).status).toBe(200);
  });
});

describe("BullMQ's scripts on a connection that uses Redis's time", () => {
  it("ask for it once, however many queues share the connection", async () => {
    const client = createService(application).connect();
    const defined: string[] = [];
    client.defineCommand = (_, { lua }) => void defined.push(lua);

    for (let queues = 0; queues < 8; queues += 1) onRedisTime(client);
    client.defineCommand("retryJob:6.7.0", { numberOfKeys: 0, lua: "return ARGV[2]" });

    expect(defined[0]?.match(/"TIME"/g)).toHaveLength(1);
  });

  it("record and compare Redis's time, whatever their caller's clock shows", async () => {
    const service = createService(application);
    const queue = service.openBareQueue("timed");
    const client = service.connect();
    await queue.add("completes", null, { jobId: "job-1" });
    await queue.add("fails", null, { jobId: "job-2" });
    await queue.add("retries", null, {
      jobId: "job-3",
      attempts: 2,
      backoff: { type: "fixed", delay: HOUR_MS },
    });
    await queue.add("waits", null, { jobId: "job-4", delay: HOUR_MS });
    setClockWrong(8 * DAY_MS);
    const attempt: Processor = async ({ name }) => {
      if (name === "fails") throw new UnrecoverableError("for good");
      if (name === "retries") throw new Error("for now");
    };
    const worker = new Worker(bullmqQueueName("timed"), attempt, {
      prefix: service.env.HOLDFAST_PREFIX,
      connection: onRedisTime(client),
      removeOnComplete: { age: 60 },
      removeOnFail: { age: 60 },
    });
    onTestFinished(() => worker.close());
    const counts = await until("three have ended their attempt", async () => {
      const found = await queue.getJobCounts("completed", "failed", "delayed", "waiting", "active");
      return found.waiting === 0 && found.active === 0 && found;
    });

    expect(counts).toMatchObject({ completed: 1, failed: 1, delayed: 2 });
    const redisMs = Number((await client.time())[0]) * 1_000;
    for (const id of ["job-1", "job-2"]) {
      const job = await queue.getJob(id);
      expect(Math.abs((job?.finishedOn ?? 0) - redisMs)).toBeLessThan(HOUR_MS);
      expect(Math.abs((job?.processedOn ?? 0) - redisMs)).toBeLessThan(HOUR_MS);
    }
    const [, , , due = "0"] = await client.zrange(queue.toKey("delayed"), "0", "-1", "WITHSCORES");
    expect(Number(due) / 4_096 - redisMs).toBeLessThan(2 * HOUR_MS);
  });
});
