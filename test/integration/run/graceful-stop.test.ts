import { describe, expect, it, onTestFinished } from "vitest";
import { anyJob, application, gated } from "../../support/application.ts";
import { openGate } from "../../support/gate.ts";
import { latch } from "../../support/latch.ts";
import { launchRole, withProcesses } from "../../support/processes.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import { applicationOf, createService, untilState, type Variables } from "../../support/service.ts";

const job = anyJob({ timeoutMs: 60_000 });

/** A service with one running attempt that ends when the test says so, or when its signal aborts it. */
async function withRunningAttempt(variables: Variables, heedsSignal = true) {
  const [begun, release] = [latch(), latch()];
  const reasons: unknown[] = [];
  const handler = job.handler(async ({ payload, signal }) => {
    if (payload === "quick") return "done";
    begun.open();
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => {
        reasons.push(signal.reason);
        if (heedsSignal) reject(signal.reason);
      });
    });
    await Promise.race([release.opened, aborted]);
    return "done";
  });
  const service = createService(applicationOf(handler), variables);
  const producer = await service.createProducer();
  const worker = await service.startWorker();
  const { id } = await producer.submit(job, "slow", { idempotencyKey: "k" });
  await begun.opened;
  return { service, producer, worker, id, release, reasons };
}

describe("a worker that is stopped", () => {
  it("lets a running attempt finish within the grace time, and leaves further jobs to others", async () => {
    const { service, producer, worker, id, release, reasons } = await withRunningAttempt({
      HOLDFAST_STOP_GRACE_MS: "20000",
    });

    const stopped = Promise.all([worker.stop(), worker.stop()]);
    const next = await producer.submit(job, "quick", { idempotencyKey: "next" });
    await service.startWorker();
    await untilState(producer, next.id, "completed");
    expect(await producer.status(id)).toMatchObject({ state: "active" });
    release.open();
    await stopped;

    expect(await producer.status(id)).toMatchObject({ state: "completed", attemptsMade: 1, result: "done" });
    expect(reasons).toEqual([]);
  });

  it("aborts an attempt that does not, and releases its job without using up an attempt", async () => {
    const { service, producer, worker, id, release, reasons } = await withRunningAttempt({
      HOLDFAST_STOP_GRACE_MS: "50",
    });

    await worker.stop();

    expect(reasons).toEqual([expect.objectContaining({ code: "WORKER_STOPPING" })]);
    expect(await producer.status(id)).toMatchObject({ state: "waiting", attemptsMade: 0, error: null });
    release.open();
    await service.startWorker();
    expect(await untilState(producer, id, "completed")).toMatchObject({ attemptsMade: 1, result: "done" });
  });

  it("does not wait for an attempt that ignores its signal, but still releases its job", async () => {
    const { producer, worker, id } = await withRunningAttempt({ HOLDFAST_STOP_GRACE_MS: "50" }, false);

    await worker.stop();

    expect(await producer.status(id)).toMatchObject({ state: "waiting", attemptsMade: 0 });
  });
});

describe("a worker that is stopped while Redis is away", () => {
  it("does not wait for its grace time if it runs nothing", async () => {
    const server = await startRedisServer();
    onTestFinished(() => server.stop());
    const graceMs = 100_000;
    const service = createService(application, {
      REDIS_URL: server.url,
      HOLDFAST_STOP_GRACE_MS: String(graceMs),
    });
    const worker = await service.startWorker();
    await server.kill();

    const stoppedAt = performance.now();
    await worker.stop();

    expect(performance.now() - stoppedAt).toBeLessThan(graceMs / 2);
  });
});

describe("a worker process that gets SIGTERM", withProcesses, () => {
  async function withGatedJob(graceMs: string) {
    const service = createService(application, { HOLDFAST_STOP_GRACE_MS: graceMs });
    const producer = await service.createProducer();
    const worker = await launchRole("worker", service.env);
    const { id } = await producer.submit(gated, service.env.REDIS_URL, { idempotencyKey: "k" });
    await untilState(producer, id, "active");
    return { service, producer, worker, id };
  }

  it("finishes running jobs within the grace time, and exits with 0", async () => {
    const { service, producer, worker, id } = await withGatedJob("20000");

    worker.kill("SIGTERM");
    await openGate(service.env.REDIS_URL, id);

    expect(await worker.ended).toMatchObject({ code: 0 });
    expect(await producer.status(id)).toMatchObject({ state: "completed", attemptsMade: 1 });
  });

  it("releases a job that does not finish; another worker completes it", async () => {
    const { service, producer, worker, id } = await withGatedJob("50");

    worker.kill("SIGTERM");

    expect(await worker.ended).toMatchObject({ code: 0 });
    expect(await producer.status(id)).toMatchObject({ state: "waiting", attemptsMade: 0 });
    await openGate(service.env.REDIS_URL, id);
    await launchRole("worker", service.env);
    expect(await untilState(producer, id, "completed")).toMatchObject({ attemptsMade: 1 });
  });
});
