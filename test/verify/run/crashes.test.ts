import type { JobHandler } from "holdfast";
import { describe, expect, it, onTestFinished } from "vitest";
import { queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { anyJob, application, deadly, echo, gated, stray } from "../../support/application.ts";
import { openGate, passGate } from "../../support/gate.ts";
import { get, post } from "../../support/http.ts";
import { launch, launchRole, START_MS, urlOf, withProcesses } from "../../support/processes.ts";
import { applicationOf, createService, untilState, type Variables } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const DEFERRED_WITHIN_MS = 30_000;

/** Restarts a worker whenever it dies, as a supervisor would. */
function keepWorkerRunning(env: Variables) {
  const supervised = { deaths: 0 };
  let isOver = false;
  onTestFinished(() => {
    isOver = true;
  });
  const run = async () => {
    while (!isOver) {
      await launch(["worker"], env).ended;
      if (!isOver) supervised.deaths += 1;
    }
  };
  run();
  return supervised;
}

describe("a worker with an unhandled fault", withProcesses, () => {
  it.each(["rejection", "exception"])(
    "ends at once with a fatal log line, and its jobs run again: %s",
    async (kind) => {
      const service = createService(application, { HOLDFAST_LOCK_MS: "1000" });
      const producer = await service.createProducer();
      const worker = await launchRole("worker", { ...service.env, TEST_STRAYS: kind } as Variables);
      const bystander = await producer.submit(gated, service.env.REDIS_URL, { idempotencyKey: "k" });
      await untilState(producer, bystander.id, "active");
      const { id } = await producer.submit(stray, "what nobody may read", { idempotencyKey: "k" });

      const { code, stderr } = await worker.ended;

      expect(code).toBe(1);
      expect(stderr).not.toContain("what nobody may read");
      const last = JSON.parse(stderr.trimEnd().split("\n").at(-1) ?? "");
      expect(last).toMatchObject({ level: 60, role: "worker", fault: "TypeError" });
      expect(last.at[0]).toContain("holdfast.config.js:");
      await openGate(service.env.REDIS_URL, bystander.id);
      await service.startWorker();
      for (const job of [id, bystander.id]) {
        expect(await untilState(producer, job, "completed")).toMatchObject({ error: null });
      }
    },
  );
});

describe("a worker that is killed during a job", withProcesses, () => {
  it("loses nothing: another worker completes the job without using up an attempt", async () => {
    const service = createService(application, { HOLDFAST_LOCK_MS: "1000" });
    const producer = await service.createProducer();
    const worker = await launchRole("worker", service.env);
    const { id } = await producer.submit(gated, service.env.REDIS_URL, { idempotencyKey: "k" });
    await untilState(producer, id, "active");

    worker.kill("SIGKILL");
    await worker.ended;
    expect(await producer.status(id)).toMatchObject({ state: "active" });
    await openGate(service.env.REDIS_URL, id);
    await service.startWorker();

    expect(await untilState(producer, id, "completed")).toMatchObject({ attemptsMade: 1, error: null });
    expect(await service.openBareQueue().getJob(id)).toMatchObject({ attemptsStarted: 2 });
    const operator = await service.createOperator();
    const lost = async () => (await operator.detail(id))?.lostWorkers.length === 1;
    await until("it is known when its worker was found lost", lost, 20_000);
  });

  it("by a poison job ends that job as failed while others complete", async () => {
    const service = createService(application, { HOLDFAST_LOCK_MS: "500" });
    const producer = await service.createProducer();
    const { id } = await producer.submit(deadly, 1, { idempotencyKey: "k" });
    const others = await producer.submitMany(
      echo,
      Array.from({ length: 5 }, (_, index) => ({ payload: index, idempotencyKey: `${index}` })),
    );
    const supervised = keepWorkerRunning(service.env);
    await until("the job has failed", async () => (await producer.status(id))?.state === "failed", START_MS);

    expect(supervised.deaths).toBe(2);
    expect(await producer.status(id)).toMatchObject({
      attemptsMade: 1,
      error: {
        code: "STARTS_EXHAUSTED",
        message: "The job was started 2 times, and its worker did not survive it",
        retryable: false,
      },
    });
    for (const other of others) {
      if (!("id" in other)) throw other;
      await untilState(producer, other.id, "completed");
    }
  });
});

describe("jobs that were active at two crashes", withProcesses, () => {
  it("run one at a time in a process, so that a third crash spares others", async () => {
    const service = createService(application, { HOLDFAST_LOCK_MS: "500" });
    const [producer, operator] = [await service.createProducer(), await service.createOperator()];
    const submit = (idempotencyKey: string) =>
      producer.submit(gated, service.env.REDIS_URL, { idempotencyKey });
    const jobs = await Promise.all(["a", "b", "c"].map(submit));
    const states = () => Promise.all(jobs.map(async ({ id }) => (await producer.status(id))?.state));
    const queue = service.openBareQueue();
    const starts = () =>
      Promise.all(jobs.map(async ({ id }) => (await queue.getJob(id))?.attemptsStarted ?? 0));
    // Those of a dead worker look active until they are found.
    const runAgain = async (start: number) =>
      (await starts()).every((count) => count >= start) &&
      (await states()).every((state) => state === "active");
    for (const start of [1, 2]) {
      const worker = await launchRole("worker", service.env);
      await until(`all run for the ${start}. time`, () => runAgain(start));
      worker.kill("SIGKILL");
      await worker.ended;
    }

    const worker = await launchRole("worker", service.env);
    await until(
      "one runs, and the others are deferred again and again",
      async () =>
        (await starts()).filter((count) => count >= 5).length >= 2 &&
        (await states()).sort().join() === "active,delayed,delayed",
      DEFERRED_WITHIN_MS,
    );
    worker.kill("SIGKILL");
    await worker.ended;
    for (const { id } of jobs) await openGate(service.env.REDIS_URL, id);
    await service.startWorker();
    for (const { id } of jobs) await untilState(producer, id, "completed");
    const crashes = await Promise.all(jobs.map(async ({ id }) => (await operator.detail(id))?.crashes));
    // Not exactly one has 3: another may just have been claimed, to be deferred.
    expect(crashes).toContain(2);
  });

  it("run one at a time in all queues of a process, while other jobs run beside it", async () => {
    const queues = ["one", "two"];
    const gates = queues.map((queue) => {
      const job = anyJob({ type: `gated-${queue}`, queue, timeoutMs: 60_000 });
      return job.handler(({ payload, jobId, signal }) => passGate(String(payload), jobId, signal));
    });
    const service = createService(applicationOf(...gates), { HOLDFAST_LOCK_MS: "500" });
    const [producer, redis] = [await service.createProducer(), service.connect()];
    const submit = async ({ job }: JobHandler, idempotencyKey: string) =>
      (await producer.submit(job, service.env.REDIS_URL, { idempotencyKey })).id;
    const jobs = await Promise.all(gates.map((gate) => submit(gate, "crashed")));
    const keys = jobs.map((id, at) => queueKeys(service.env.HOLDFAST_PREFIX, queues[at] ?? "").job(id));
    for (const key of keys) await redis.hset(key, "stc", 2);
    const others = await Promise.all(gates.map((gate) => submit(gate, "other")));

    await service.startWorker();

    const states = () => Promise.all(jobs.map(async (id) => (await producer.status(id))?.state));
    const starts = () => Promise.all(keys.map(async (key) => Number(await redis.hget(key, "ats"))));
    await until(
      "one runs, and the other is deferred again and again",
      async () => Math.max(...(await starts())) >= 3 && (await states()).sort().join() === "active,delayed",
      DEFERRED_WITHIN_MS,
    );
    for (const id of others) await untilState(producer, id, "active");
    for (const id of [...jobs, ...others]) await openGate(service.env.REDIS_URL, id);
    for (const id of [...jobs, ...others]) await untilState(producer, id, "completed");
  });
});

describe("an API that is killed", withProcesses, () => {
  it("does not stop the workers, and another one takes over", async () => {
    const service = createService(application);
    const api = await launchRole("api", service.env);
    const producer = await service.createProducer();
    await service.startWorker();
    const submit = async (url: string, idempotencyKey: string) => {
      const payload = service.env.REDIS_URL;
      return (await post(`${url}/jobs`, { type: "gated", payload, idempotencyKey })).body.id;
    };
    const id = await submit(urlOf(api), "k");
    await untilState(producer, id, "active");

    api.kill("SIGKILL");
    await api.ended;
    await openGate(service.env.REDIS_URL, id);

    await untilState(producer, id, "completed");
    const { url } = await service.startApi();
    expect(await submit(url, "k")).toBe(id);
    expect(await get(`${url}/jobs/${id}/status`)).toMatchObject({ body: { state: "completed" } });
  });
});

describe("jobs while no worker runs", () => {
  it("wait, and all run once one starts", async () => {
    const service = createService(application);
    const producer = await service.createProducer();
    const receipts = await Promise.all(
      Array.from({ length: 20 }, (_, index) => producer.submit(echo, index, { idempotencyKey: `${index}` })),
    );
    const queue = service.openBareQueue();
    expect(await queue.getJobCounts()).toMatchObject({ waiting: 20, active: 0, completed: 0 });

    await service.startWorker();

    for (const [index, { id }] of receipts.entries()) {
      expect(await untilState(producer, id, "completed")).toMatchObject({ result: index });
    }
  });
});
