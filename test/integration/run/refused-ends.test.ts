import { RetryAfterError } from "holdfast";
import { describe, expect, it } from "vitest";
import { anyJob } from "../../support/application.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import { applicationOf, createService, untilState, type Variables } from "../../support/service.ts";
import { onTestFinished } from "../../support/test-scope.ts";
import { until } from "../../support/until.ts";

const lockMs = 3_000;
const job = anyJob({ retry: { attempts: 2, backoff: { kind: "fixed", delayMs: 0 } } });

/** A worker whose Redis refuses all writes from the end of the first attempt on. */
async function withRefusedEnd(variables: Variables = {}) {
  const server = await startRedisServer();
  onTestFinished(() => server.stop());
  let runs = 0;
  const handler = job.handler(async ({ payload, progress }) => {
    runs += 1;
    if (runs === 1) await store.config("SET", "min-replicas-to-write", "1");
    // Refused as well, which is no reason to fail.
    await progress(runs);
    if (runs === 1 && payload === "later") throw new RetryAfterError(1, "later");
    if (runs === 1 && payload === "fail") throw new Error("failed");
    return runs;
  });
  const service = createService(applicationOf(handler), {
    REDIS_URL: server.url,
    HOLDFAST_LOCK_MS: String(lockMs),
    HOLDFAST_STOP_GRACE_MS: "100",
    HOLDFAST_DURABILITY: "memory",
    ...variables,
  });
  const store = service.connect();
  const producer = await service.createProducer();
  const worker = await service.startWorker();
  const refusals = async () => {
    const [, count = "0"] = /errorstat_NOREPLICAS:count=(\d+)/.exec(await store.info("errorstats")) ?? [];
    return Number(count);
  };
  return {
    producer,
    worker,
    refusals,
    queue: service.openBareQueue(),
    allowWrites: () => store.config("SET", "min-replicas-to-write", "0"),
    begunRuns: () => runs,
  };
}

describe.concurrent("the end of an attempt that Redis refuses to record", () => {
  it.each([
    ["return", { state: "completed", attemptsMade: 1, result: 1, error: null }, 1],
    ["fail", { state: "completed", attemptsMade: 2, result: 2, error: null }, 2],
    ["later", { state: "completed", attemptsMade: 2, result: 2, error: null }, 2],
  ])("is recorded once Redis accepts it: %s", async (payload, end, starts) => {
    const { producer, refusals, allowWrites, queue } = await withRefusedEnd();
    const { id } = await producer.submit(job, payload, { idempotencyKey: "k" });
    await until("the end was refused more than once", async () => (await refusals()) >= 3);
    expect(await producer.status(id)).toMatchObject({ state: "active" });

    await allowWrites();

    expect(await untilState(producer, id, "completed", "failed")).toMatchObject(end);
    expect(await queue.getJob(id)).toMatchObject({ attemptsStarted: starts, stalledCounter: 0 });
    expect((await queue.getJob(id))?.stacktrace).toHaveLength(starts - 1);
  });

  it("does not keep a worker from stopping in time, and is left to the next worker", async () => {
    const { producer, worker, refusals, allowWrites } = await withRefusedEnd();
    const { id } = await producer.submit(job, "return", { idempotencyKey: "k" });
    await until("the end was refused", async () => (await refusals()) >= 1);

    const begun = performance.now();
    await worker.stop();

    expect(performance.now() - begun).toBeLessThan(4_000);
    await allowWrites();
    expect(await producer.status(id)).toMatchObject({ state: "active", error: null });
  });
});
