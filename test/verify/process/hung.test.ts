/** Processes that wait for what does not come: an answer of Redis, a job, the end of a handler. Most of it is waiting, so they wait together. */

import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { application, blocking, echo, gated } from "../../support/application.ts";
import { startFreezingProxy } from "../../support/freezing-proxy.ts";
import { openGate } from "../../support/gate.ts";
import {
  childrenOf,
  type Ended,
  launch,
  launchRole,
  START_MS,
  withProcesses,
} from "../../support/processes.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import { createService, testEnvironment, untilState } from "../../support/service.ts";
import { onTestFinished } from "../../support/test-scope.ts";
import { until } from "../../support/until.ts";

/** Beside a Redis that does not answer for a while. */
async function untilReady(role: string, url: string, answer: () => void): Promise<void> {
  const started = launch([role], testEnvironment({ REDIS_URL: url, HOLDFAST_LOG_LEVEL: "info" }));
  await until("it says that it waits", () => started.stderr.includes("the start waits"), START_MS);
  expect(started.stderr).toMatch(
    /"reason":"no answer in time".*Redis accepts connections and does not answer/,
  );
  answer();
  await until("it is ready", () => started.stderr.includes(' ready"'), START_MS);
}

/** A port that accepts connections, and nothing more. */
async function listenSilently(): Promise<number> {
  const silent = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void silent.close());
  await until("it listens", () => silent.listening);
  return (silent.address() as { readonly port: number }).port;
}

describe.concurrent("a role that starts beside a Redis that does not answer in time", withProcesses, () => {
  // All at once, because the last takes half a minute.
  it("waits, says why, and is ready once it answers; or ends after 30 s, and says why", async () => {
    const port = await listenSilently();
    const env = testEnvironment({ REDIS_URL: `redis://127.0.0.1:${port}` });
    const unanswered = launch(["api"], env);
    const beside = async (role: string) => {
      const server = await startRedisServer();
      onTestFinished(() => server.stop());
      process.kill(server.pid, "SIGSTOP");
      await untilReady(role, server.url, () => process.kill(server.pid, "SIGCONT"));
    };
    await Promise.all(["api", "worker", "scheduler"].map(beside));
    const { code, stderr } = await unanswered.ended;
    expect(code).toBe(3);
    expect(stderr).toContain(
      `The store cannot be reached: 127.0.0.1:${port}, from REDIS_URL: no answer within 5 s; it accepts connections, and did not answer within 30 s (no answer in time)`,
    );
  });
});

describe.concurrent("a worker whose connection for new jobs hangs", withProcesses, () => {
  it("notices that jobs wait, reports it, and exits with 1; another one runs them", async () => {
    const service = createService(application);
    const producer = await service.createProducer();
    const proxy = await startFreezingProxy(service.env.REDIS_URL);
    const worker = await launchRole("worker", {
      ...service.env,
      REDIS_URL: proxy.url,
      // Longer than BullMQ needs to notice that its blocking command hangs, and to try another connection.
      HOLDFAST_STUCK_AFTER_MS: "9000",
    });
    const heard = await producer.submit(echo, "heard", { idempotencyKey: "heard" });
    await untilState(producer, heard.id, "completed");

    // A worker waits for Holdfast's own jobs, too.
    proxy.freeze("bzpopmin", "{default}:marker");
    await until("the worker waits on the hanging connection", () => proxy.frozen > 0);
    const unheard = await producer.submit(echo, "unheard", { idempotencyKey: "unheard" });

    const { code, stderr } = await worker.ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/"level":60.*"code":"WORKER_STUCK"/);
    await service.startWorker();
    await untilState(producer, unheard.id, "completed");
  });
});

const LOCK_MS = 1_000;
/** How long a loop may stay blocked: the lock, the time-out, and a margin. */
const ENDED_WITHIN_MS = 40_000;

function lastLine(text: string): Readonly<Record<string, unknown>> {
  return JSON.parse(text.trimEnd().split("\n").at(-1) ?? "");
}

describe.concurrent("a handler that blocks the event loop forever", withProcesses, () => {
  it("ends its worker's process, which names the jobs it was running", async () => {
    const service = createService(application, { HOLDFAST_LOCK_MS: String(LOCK_MS) });
    const producer = await service.createProducer();
    const worker = await launchRole("worker", service.env);
    const beside = await producer.submit(gated, service.env.REDIS_URL, { idempotencyKey: "beside" });
    await untilState(producer, beside.id, "active");
    // Its neighbour may run for a minute, so the loop may be blocked for as long.
    await openGate(service.env.REDIS_URL, beside.id);
    await untilState(producer, beside.id, "completed");
    const { id } = await producer.submit(blocking, null, { idempotencyKey: "culprit" });

    const { code, stderr }: Ended = await worker.ended;

    expect(code).toBeNull();
    const entry = lastLine(stderr);
    expect(entry).toMatchObject({ level: 60, role: "worker", code: "EVENT_LOOP_BLOCKED", jobs: [id] });
    expect(entry.silentMs).toBeGreaterThan(2 * LOCK_MS);
    expect(entry.silentMs).toBeLessThan(ENDED_WITHIN_MS);
  });

  it("ends as STARTS_EXHAUSTED under up, and its neighbours complete", async () => {
    const service = createService(application, { HOLDFAST_LOCK_MS: String(LOCK_MS) });
    const producer = await service.createProducer();
    const up = launch(["up"], { ...service.env, SMTP_URL: "smtp://127.0.0.1:1" });
    await until("everything runs", () => up.stdout.includes("Ctrl-C"), 60_000);
    const { id } = await producer.submit(blocking, null, { idempotencyKey: "culprit" });
    await untilState(producer, id, "active");
    const neighbour = await producer.submit(echo, 1, { idempotencyKey: "neighbour" });

    await untilState(producer, neighbour.id, "completed");
    const { error } = await untilState(producer, id, "failed");

    expect(error).toMatchObject({ code: "STARTS_EXHAUSTED" });
    up.kill("SIGTERM");
    expect(await up.ended).toMatchObject({ code: 0 });
  });
});

describe.concurrent("a handler that blocks the event loop for a while", withProcesses, () => {
  it("is not ended within its time-out and the lock, nor is a stopped idle process", async () => {
    const service = createService(application, { HOLDFAST_LOCK_MS: "1000" });
    const producer = await service.createProducer();
    const worker = await launchRole("worker", service.env);
    worker.kill("SIGSTOP");
    await until("it is stopped", () => childrenOf(process.pid).some(({ pid }) => pid === worker.pid));
    const stoppedAt = performance.now();
    await until(
      "it was stopped for longer than it may be silent",
      () => performance.now() - stoppedAt > 4_000,
    );
    worker.kill("SIGCONT");
    const { id } = await producer.submit(blocking, 800, { idempotencyKey: "k" });
    await untilState(producer, id, "completed");
    expect(worker.stderr).not.toContain("EVENT_LOOP_BLOCKED");
  });
});
