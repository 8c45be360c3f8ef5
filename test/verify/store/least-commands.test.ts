import { Worker } from "bullmq";
import {
  defineConfig,
  defineJob,
  defineSchedule,
  InDoubtError,
  PermanentError,
  startScheduler,
} from "holdfast";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { bullmqQueueName } from "../../../src/core/bullmq/store/queue-keys.ts";
import { openQueueStores } from "../../../src/core/bullmq/store/queue-store.ts";
import { diagnoseTopology } from "../../../src/desk/doctor/doctor-topology.ts";
import { divideQueue } from "../../../src/desk/queues/divide-queue.ts";
import { readSettings } from "../../../src/platform/config/settings.ts";
import { reachRedis } from "../../../src/platform/redis/connect.ts";
import { duplicate } from "../../../src/platform/redis/connection.ts";
import { anyJob } from "../../support/application.ts";
import { call } from "../../support/http.ts";
import { bearer, keyEntry, signIn } from "../../support/keys.ts";
import { type LimitedStore, startLimitedCluster, startLimitedStore } from "../../support/limited-store.ts";
import { createService } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const payload = z.enum(["well", "flaky", "hopeless", "doubtful", "slow"]);
const work = defineJob({
  type: "work",
  payload,
  result: z.unknown(),
  retry: { attempts: 2, backoff: { kind: "fixed", delayMs: 50 } },
  timeoutMs: 20_000,
  effects: { act: { timeoutMs: 1_000, inDoubt: "hold" } },
});
const beat = anyJob({ type: "beat" });
const gather = anyJob({ type: "gather" });
const application = defineConfig({
  jobs: [work, beat, gather],
  handlers: async () => [
    gather.handler(async ({ children }) => {
      const states: string[] = [];
      for await (const { state } of children()) states.push(state);
      return states;
    }),
    beat.handler(async () => "beaten"),
    work.handler(async ({ payload: how, attempt, effect, log, progress, signal }) => {
      log.info("begun");
      await progress(50);
      if (how === "flaky" && attempt === 1) throw new Error("once");
      if (how === "hopeless") throw new PermanentError("never");
      if (how === "slow") await new Promise((_, reject) => signal.addEventListener("abort", reject));
      return await effect("act", async () => {
        if (how === "doubtful") throw new InDoubtError("who knows");
        return how;
      });
    }),
  ],
  schedules: [defineSchedule({ name: "beats", everyMs: 1_000, job: beat, payload: () => null })],
});

const PREFIX = "holdfast";
describe.each([
  ["a Redis", startLimitedStore, "disk"],
  ["a Redis Cluster", startLimitedCluster, "replica:1"],
] as const)("%s with only the documented user", (_, start, durability) => {
  let store: LimitedStore;

  beforeAll(async () => {
    store = await start();
  });
  afterAll(() => store?.stop());

  it("is enough for everything that API, worker and scheduler do", async () => {
    const service = createService(application, {
      REDIS_URL: store.url,
      HOLDFAST_DURABILITY: durability,
      HOLDFAST_PREFIX: PREFIX,
      HOLDFAST_LOCK_MS: "1500",
      HOLDFAST_KEEP_COMPLETED: "5",
      HOLDFAST_KEEP_BYTES: "1000000000",
      HOLDFAST_STOP_GRACE_MS: "100",
      HOLDFAST_API_KEYS: keyEntry("all", "submit+read+operate", "key"),
      HOLDFAST_RATE_LIMITS: "*=100000/60",
    });
    const { url } = await service.startApi();
    // A read is sent again when Redis is slow, as clients do: each counts against a limit, which waits 400 ms.
    const send = (method: string, path: string, body: unknown, headers: object) =>
      until(`${method} ${path} is answered`, async () => {
        const answer = await call(url + path, method, body, { ...bearer("key"), ...headers });
        return (method !== "GET" || answer.status !== 503) && answer;
      });
    const ask = async (method: string, path: string, body?: unknown, headers = {}) => {
      const answer = await send(method, path, body, headers);
      expect(answer.status, `${method} ${path}: ${JSON.stringify(answer.body)}`).toBeLessThan(300);
      return answer.body;
    };
    const submit = async (how: z.infer<typeof payload>, options = {}) =>
      (
        await ask("POST", "/jobs", {
          type: "work",
          payload: how,
          idempotencyKey: JSON.stringify([how, options]),
          options,
        })
      ).id as string;
    const reaches = (id: string, state: string) =>
      until(`${id} is ${state}`, async () => (await ask("GET", `/jobs/${id}/status`)).state === state);

    // As a lost worker leaves it.
    const lost = await submit("well", { delayMs: 0 });
    await abandon(store);

    const over = new AbortController();
    const follow = (path: string) =>
      fetch(url + path, {
        headers: { ...bearer("key"), accept: "text/event-stream" },
        signal: over.signal,
      });
    await follow("/overview");
    await service.startWorker();
    await reaches(lost, "completed");

    const [well, flaky, hopeless, doubtful, slow] = await Promise.all(
      payload.options.map((how) => submit(how)),
    );
    await submit("well");
    await submit("well", { priority: 7 });
    const later = await submit("well", { delayMs: 3_600_000 });
    await ask("GET", `/jobs/${well}/status`, undefined, { prefer: "wait=10" });
    await reaches(flaky!, "completed");
    await reaches(hopeless!, "failed");
    await reaches(doubtful!, "failed");
    await reaches(slow!, "active");
    const subscribed = await follow(`/jobs/${slow}/status`);
    await ask("POST", `/jobs/${slow}/cancel`);
    await reaches(slow!, "failed");
    expect(await subscribed.text()).toContain("CANCELLED");
    await ask("POST", `/jobs/${later}/cancel`);
    await ask("POST", `/jobs/${hopeless}/retry`);
    await reaches(hopeless!, "failed");
    await ask("POST", `/jobs/${doubtful}/effects/act/resolve`, { as: "done", evidence: "seen" });
    await reaches(doubtful!, "completed");
    await runFlows(ask, reaches);
    const act = await ask("POST", "/jobs/acts", { act: "retry", all: true, reason: "a test" });
    await until("the act is done", async () => {
      const { acts } = await ask("GET", "/jobs/acts");
      return (acts as { id: string; state: string }[]).some(
        ({ id, state }) => id === act.id && state === "done",
      );
    });
    for (const kind of ["cancel", "delete"])
      await ask("POST", "/jobs/acts", { act: kind, all: true, dryRun: true });
    await ask("POST", "/queues/default/pause", { reason: "a test" });
    await ask("POST", "/queues/default/resume");
    await ask("PUT", "/queues/default/limits", { concurrency: 50, rate: "1000/1s" });
    const scheduler = await startScheduler(application, service.env);
    await ask("POST", "/schedules/beats/run");
    const everySecond = { everyMs: 1_000, type: "beat", payload: null, overlap: "queue-one" };
    await ask("PUT", "/schedules/put", everySecond);
    await until("a tick of one that was put ran", async () =>
      ((await ask("GET", "/schedules/put/ticks")).ticks as { state: string }[]).some(
        ({ state }) => state === "completed",
      ),
    );
    await ask("DELETE", "/schedules/put");
    await until("a tick ran", async () =>
      ((await ask("GET", "/schedules/beats/ticks")).ticks as { state: string }[]).some(
        ({ state }) => state === "completed",
      ),
    );
    for (const path of [
      "/jobs",
      "/jobs?idempotencyKey=x",
      `/jobs/${hopeless}`,
      "/failures",
      "/doubts",
      "/audit",
      "/schedules",
      "/metrics",
      "/health/ready",
    ])
      await ask("GET", path);
    for (const state of [
      "waiting",
      "waiting-children",
      "delayed",
      "prioritized",
      "active",
      "completed",
      "failed",
    ])
      await ask("GET", `/jobs?state=${state}`);
    await call(`${url}/session`, "GET", undefined, await signIn(url, "key"));
    over.abort();
    await scheduler.stop();
    const redis = await reachRedis(readSettings(service.env), "fail-fast");
    onTestFinished(() => redis.stop());
    const queues = openQueueStores(redis, PREFIX);
    for (const partitions of [2, 2]) await divideQueue(queues, PREFIX, "default", partitions);
    await diagnoseTopology(redis.client, readSettings(service.env).HOLDFAST_DURABILITY);

    expect(await store.refused()).toEqual([]);
  });
});

describe("a Redis with only the documented user", () => {
  let store: LimitedStore;

  beforeAll(async () => {
    store = await startLimitedStore();
  });
  afterAll(() => store?.stop());

  it.each([
    ["FLUSHALL"],
    ["KEYS", "*"],
    ["CONFIG", "SET", "appendonly", "no"],
    ["SHUTDOWN"],
    ["ACL", "LIST"],
    ["GET", "elsewhere:key"],
    ["EVAL", "return redis.call('GET', KEYS[1])", "1", "elsewhere:key"],
    ["EVAL", "return redis.call('FLUSHALL')", "0"],
    ["SPUBLISH", "elsewhere", "x"],
  ])("refuses everything else: %s %s", async (...command) => {
    const user = new Redis(store.url);
    onTestFinished(() => user.disconnect());
    const [name = "", ...args] = command;

    await expect(user.call(name, ...args)).rejects.toThrow(
      /NOPERM|No permissions|ACL failure|can.t run this command/,
    );
  });
});

/** Flows in which a child fails, is cancelled or existed before. */
async function runFlows(
  ask: (method: string, path: string, body?: unknown) => Promise<{ readonly id: string }>,
  reaches: (id: string, state: string) => Promise<unknown>,
): Promise<void> {
  const submit = (key: string, onChildFailure: string, ...children: object[]) =>
    ask("POST", "/flows", {
      parent: { type: "gather", payload: null, idempotencyKey: key },
      children: children.map((child) => ({ type: "work", ...child })),
      onChildFailure,
    });
  const old = { payload: "well", idempotencyKey: JSON.stringify(["well", {}]) };
  const later = { payload: "well", idempotencyKey: "later", options: { delayMs: 3_600_000 } };
  const failing = await submit("fails", "fail", { payload: "hopeless" }, { payload: "well" });
  await reaches(failing.id, "failed");
  await ask("POST", `/jobs/${failing.id}/retry`);
  const going = await submit("goes on", "continue", { payload: "hopeless" }, old, later);
  await reaches(going.id, "waiting-children");
  const cancelled = await ask("POST", "/jobs", { type: "work", ...later });
  await ask("POST", `/jobs/${cancelled.id}/cancel`);
  await reaches(going.id, "completed");
}

/** Claims the only job with plain BullMQ, and forgets it. */
async function abandon({ admin }: LimitedStore): Promise<void> {
  const options = { prefix: PREFIX, connection: duplicate(admin, { maxRetriesPerRequest: null }) };
  const worker = new Worker(bullmqQueueName("default"), null, { ...options, lockDuration: 100 });
  await worker.getNextJob("nobody");
  await worker.close();
  options.connection.disconnect();
}
