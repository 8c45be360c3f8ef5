import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { anyJob } from "../../support/application.ts";
import { type RedisCluster, startRedisCluster } from "../../support/redis-cluster.ts";
import { applicationOf, createService, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const job = anyJob();
const SLOTS = 8;
const OVER_MS = 8_000;
const reason = "the provider's disk is full 👩‍👩‍👧";
let cluster: RedisCluster;
beforeAll(async () => {
  cluster = await startRedisCluster();
}, 120_000);
afterAll(() => cluster?.stop());

/** Two partitions, on two masters, with encrypted reasons. */
async function start() {
  let running = 0;
  const begun: { readonly at: number; readonly running: number }[] = [];
  const application = applicationOf(
    job.handler(async () => {
      running += 1;
      begun.push({ at: performance.now(), running });
      // A job's work.
      await new Promise((resolve) => setTimeout(resolve, 100));
      running -= 1;
      return null;
    }),
  );
  const service = createService(application, {
    REDIS_URL: cluster.url,
    HOLDFAST_CONCURRENCY: String(SLOTS),
    HOLDFAST_ENCRYPTION_KEYS: `2026:${randomBytes(32).toString("base64")}`,
  });
  const [producer, operator] = await Promise.all([service.createProducer(), service.createOperator()]);
  await operator.queues.divide("default", 2);
  const submit = async (count: number) =>
    (
      await producer.submitMany(
        job,
        Array.from({ length: count }, (_, at) => ({ payload: null, idempotencyKey: `${at}` })),
      )
    ).map((one) => ("id" in one ? one.id : ""));
  return { service, producer, operator, submit, begun };
}

describe.concurrent("in a cluster, a queue with partitions", () => {
  it("is resumed slowly in each of them, for workers that come later, and is at full speed in the end", async () => {
    const { service, producer, operator, submit, begun } = await start();
    await operator.queues.pause("default", { reason, by: "ann" });
    const ids = await submit(60);
    const from = performance.now();
    await operator.queues.resume("default", { by: "ann", overMs: OVER_MS });
    expect((await operator.queues.show("default")).ramp?.slots).toBe(2);
    await service.startWorker();
    await until("its slots count", async () => (await operator.queues.show("default")).ramp?.slots === SLOTS);
    await Promise.all(ids.map((id) => untilState(producer, id, "completed")));
    // Each partition has one slot from the start.
    const allowed = (at: number) => Math.max(2, Math.ceil((SLOTS * (at - from)) / OVER_MS));
    expect(begun.filter(({ at, running }) => running > allowed(at))).toEqual([]);
    await until("it is over", async () => (await operator.overview()).queues[0]?.ramp === null);
  });

  it("has a worker that is quiet in each of them, with its reason, and then woken", async () => {
    const { service, producer, operator, submit, begun } = await start();
    await service.startWorker();
    const name = `${hostname()}:${process.pid}`;
    const seen = async () => (await operator.overview()).workers.find((worker) => worker.name === name);
    await until("it is seen", seen);
    await operator.workers.quiet(name, { reason, by: "ann" });
    await until("it has heard", async () => (await seen())?.quiet?.hasHeard === true);
    const ids = await submit(20);
    expect((await seen())?.quiet?.reason).toBe(reason);
    await until("the doctor says so", async () =>
      (await operator.doctor()).some(({ found }) => found === "1 alive, all of them quiet, 20 jobs waiting"),
    );
    expect(begun).toEqual([]);
    await operator.workers.wake(name, { by: "bob" });
    await Promise.all(ids.map((id) => untilState(producer, id, "completed")));
  });
});
