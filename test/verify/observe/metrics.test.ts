import {
  type Application,
  defineConfig,
  defineJob,
  defineSchedule,
  type JobHandler,
  NotDoneError,
  PermanentError,
  startScheduler,
} from "holdfast";
import { startWorker } from "holdfast/worker";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import type { MeasuredRole } from "../../../src/desk/role-metrics.ts";
import { anyJob } from "../../support/application.ts";
import { get, post } from "../../support/http.ts";
import { latch } from "../../support/latch.ts";
import { type Scrape, scrape } from "../../support/metrics.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import { applicationOf, createService, untilState, type Variables } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const queue = "default";

/** API and worker, each with its metrics. */
async function startMeasured(application: Application, variables: Variables = {}) {
  const service = createService(application, { HOLDFAST_METRICS_PORT: "0", ...variables });
  const { url } = await service.startApi();
  const worker = await measured(startWorker(application, service.env));
  const producer = await service.createProducer();
  return {
    service,
    url,
    producer,
    submit: (body: object) => post(`${url}/jobs`, body),
    ofApi: () => scrape(`${url}/metrics`),
    ofWorker: () => scrape(worker),
  };
}

/** The URL of a role's metrics; the role ends with the test. */
async function measured(starting: Promise<MeasuredRole>): Promise<string> {
  const role = await starting;
  onTestFinished(role.stop);
  return role.metricsUrl ?? "";
}

/** Waits for the metrics: an attempt appears a moment before its job's state, and a request a moment after. */
const untilReported = (read: () => Promise<Scrape>, what: string, test: (reading: Scrape) => boolean) =>
  until(`the metrics show ${what}`, async () => {
    const reading = await read();
    return test(reading) && reading;
  });

describe("the metrics of a job", () => {
  it("count its submissions, duplicates, refusals, attempts and completion", async () => {
    const echo = anyJob({ type: "echo", payload: z.number() });
    const { submit, producer, ofApi, ofWorker } = await startMeasured(
      applicationOf(echo.handler(async ({ payload }) => payload)),
    );
    const job = { type: "echo", payload: 1, idempotencyKey: "k" };

    const { body } = await submit(job);
    await submit(job);
    await submit({ ...job, payload: 2 });
    await submit({ ...job, payload: "one", idempotencyKey: "other" });
    await untilState(producer, body.id, "completed");

    const api = await ofApi();
    const submissions = (outcome: string) =>
      api.value("holdfast_submissions_total", { type: "echo", outcome });
    expect(["accepted", "duplicate", "key_reused", "refused", "store_full"].map(submissions)).toEqual([
      1, 1, 1, 1, 0,
    ]);
    const requests = (status: string) =>
      api.value("holdfast_http_requests_total", { route: "/jobs", method: "POST", status });
    expect(["202", "200", "422", "400", "503"].map(requests)).toEqual([1, 1, 1, 1, undefined]);
    const timed = { route: "/jobs", method: "POST" };
    expect(api.value("holdfast_http_request_duration_seconds_count", timed)).toBe(4);

    const worker = await ofWorker();
    const completed = { type: "echo", outcome: "completed", code: "" };
    expect(worker.value("holdfast_attempts_total", completed)).toBe(1);
    expect(worker.value("holdfast_attempt_duration_seconds_count", { type: "echo" })).toBe(1);
    expect(worker.value("holdfast_time_to_start_seconds_count", { type: "echo" })).toBe(1);
    expect(worker.value("holdfast_worker_slots", { queue })).toBeGreaterThan(0);
    for (const reading of [api, worker]) {
      expect(reading.value("holdfast_jobs", { queue, state: "completed" })).toBe(1);
      expect(reading.value("holdfast_jobs", { queue, state: "waiting" })).toBe(0);
      expect(reading.value("holdfast_oldest_waiting_age_seconds", { queue })).toBe(0);
      expect(reading.value("holdfast_workers", { queue })).toBe(1);
      expect(reading.value("holdfast_store_up")).toBe(1);
      expect(reading.value("holdfast_store_memory_bytes")).toBeGreaterThan(1_000_000);
      expect(reading.value("holdfast_store_memory_accepted_bytes")).toBeUndefined();
      expect(reading.value("holdfast_store_ping_seconds")).toBeGreaterThan(0);
    }
  });

  it("count each failed attempt by its code, and its time to start once", async () => {
    const failing = anyJob({ type: "failing" });
    const handler = failing.handler(async ({ attempt }) => {
      if (attempt === 1) throw new Error("once");
      throw new PermanentError("for good");
    });
    const { producer, ofWorker } = await startMeasured(applicationOf(handler));
    const { id } = await producer.submit(failing, 1, { idempotencyKey: "k" });
    await untilState(producer, id, "failed");

    const reading = await ofWorker();

    const failed = (code: string) =>
      reading.value("holdfast_attempts_total", { type: "failing", outcome: "failed", code });
    expect([failed("HANDLER_FAILED"), failed("PERMANENT_FAILURE")]).toEqual([1, 1]);
    const forGood = (code: string) => reading.value("holdfast_jobs_failed_total", { type: "failing", code });
    expect([forGood("HANDLER_FAILED"), forGood("PERMANENT_FAILURE")]).toEqual([0, 1]);
    expect(reading.value("holdfast_time_to_start_seconds_count", { type: "failing" })).toBe(1);
    expect(reading.value("holdfast_jobs", { queue, state: "failed" })).toBe(1);
  });

  it("do not count a requested delay as time to start", async () => {
    const late = anyJob({ type: "late" });
    const { producer, ofWorker } = await startMeasured(applicationOf(late.handler(async () => "fine")));
    const { id } = await producer.submit(late, 1, { idempotencyKey: "k", delayMs: 2_500 });
    await untilState(producer, id, "completed");

    const reading = await ofWorker();

    expect(reading.value("holdfast_time_to_start_seconds_count", { type: "late" })).toBe(1);
    expect(reading.value("holdfast_time_to_start_seconds_sum", { type: "late" })).toBeLessThan(2.4);
  });

  it("show how many wait, and for how long the next one has", async () => {
    const release = latch();
    const slow = anyJob({ type: "slow", timeoutMs: 60_000 });
    const handler = slow.handler(async () => release.opened);
    const { producer, ofApi } = await startMeasured(applicationOf(handler), { HOLDFAST_CONCURRENCY: "1" });
    await producer.submit(slow, 0, { idempotencyKey: "first" });
    await untilReported(
      ofApi,
      "one active",
      (reading) => reading.value("holdfast_jobs", { queue, state: "active" }) === 1,
    );
    await producer.submit(slow, 1, { idempotencyKey: "waiting" });
    await producer.submit(slow, 2, { idempotencyKey: "prioritized", priority: 5 });
    await producer.submit(slow, 3, { idempotencyKey: "delayed", delayMs: 3_600_000 });

    const reading = await untilReported(
      ofApi,
      "a wait of more than a quarter of a second",
      (some) => (some.value("holdfast_oldest_waiting_age_seconds", { queue }) ?? 0) > 0.25,
    );
    release.open();

    const counts = ["active", "waiting", "prioritized", "delayed"].map((state) =>
      reading.value("holdfast_jobs", { queue, state }),
    );
    expect(counts).toEqual([1, 1, 1, 1]);
    expect(reading.value("holdfast_oldest_waiting_age_seconds", { queue })).toBeLessThan(60);
  });

  it("count a delayed job that nobody claims from when it was due", async () => {
    const job = anyJob();
    const service = createService(applicationOf(job.handler(async () => "never")));
    const { url } = await service.startApi();
    const producer = await service.createProducer();
    await producer.submit(job, 1, { idempotencyKey: "k", delayMs: 50 });

    const reading = await untilReported(
      () => scrape(`${url}/metrics`),
      "that it is overdue",
      (some) => (some.value("holdfast_oldest_waiting_age_seconds", { queue }) ?? 0) > 0.1,
    );

    expect(reading.value("holdfast_jobs", { queue, state: "delayed" })).toBe(1);
    expect(reading.value("holdfast_workers", { queue })).toBe(0);
  });
});

describe("the metrics of an effect", () => {
  const acting = defineJob({
    type: "acting",
    payload: z.enum(["done", "refused", "lost"]),
    result: z.unknown(),
    retry: { attempts: 2, backoff: { kind: "fixed", delayMs: 10 } },
    timeoutMs: 5_000,
    effects: { act: { timeoutMs: 1_000, inDoubt: "hold" } },
  });
  const handler = acting.handler(async ({ payload, attempt, effect }) =>
    effect(
      "act",
      async () => {
        if (payload === "refused" && attempt === 1) throw new NotDoneError("not now");
        if (payload === "lost") throw Object.assign(new Error("hung up"), { code: "ECONNRESET" });
        return 1;
      },
      { index: payload },
    ),
  );

  it("count its reservations, commits, releases, doubts and resolutions", async () => {
    const { producer, ofWorker, ofApi, url } = await startMeasured(applicationOf(handler));
    const run = async (payload: "done" | "refused" | "lost", state: "completed" | "failed") => {
      const { id } = await producer.submit(acting, payload, { idempotencyKey: payload });
      await untilState(producer, id, state);
      return id;
    };
    const transition = (reading: Scrape, name: string) =>
      reading.value("holdfast_effects_total", { type: "acting", effect: "act", transition: name });
    const transitions = (reading: Scrape) =>
      ["reserved", "done", "released", "in_doubt", "resolved"].map((name) => transition(reading, name));

    await run("done", "completed");
    await run("refused", "completed");
    const doubtful = await run("lost", "failed");

    expect(transitions(await ofWorker())).toEqual([4, 2, 1, 1, 0]);
    const before = await ofApi();
    expect(before.value("holdfast_effects_in_doubt", { queue })).toBe(1);
    expect(before.value("holdfast_effects_in_doubt_oldest_age_seconds", { queue })).toBeGreaterThanOrEqual(0);
    expect(before.labelValues("holdfast_effects_total", "effect")).toEqual(["act"]);

    const evidence = { as: "done", evidence: "seen" };
    expect(await post(`${url}/jobs/${doubtful}/effects/act%2Flost/resolve`, evidence)).toMatchObject({
      status: 200,
    });

    const after = await ofApi();
    expect(after.value("holdfast_effects_in_doubt", { queue })).toBe(0);
    expect(after.value("holdfast_effects_in_doubt_oldest_age_seconds", { queue })).toBe(0);
    expect(transition(after, "resolved")).toBe(1);
  });
});

describe("the metrics of a schedule", () => {
  it("count each tick, including failed ones", async () => {
    const ticked = anyJob({ type: "ticked", payload: z.strictObject({ at: z.string() }) });
    const payload = ({ at }: { at: Date }) => ({ at: at.toISOString() });
    let isBroken = false; // not from the start: a scheduler tries each schedule before it begins
    const application = defineConfig({
      jobs: [ticked],
      handlers: async () => [],
      schedules: [
        defineSchedule({ name: "good", everyMs: 1_000, job: ticked, payload }),
        defineSchedule({
          name: "bad",
          everyMs: 1_000,
          job: ticked,
          payload: (tick) => {
            if (isBroken) throw new TypeError("broken");
            return payload(tick);
          },
        }),
      ],
    });
    const service = createService(application, { HOLDFAST_METRICS_PORT: "0" });
    const url = await measured(startScheduler(application, service.env));
    isBroken = true;
    const ticks = (reading: Scrape, schedule: string, outcome: string) =>
      reading.value("holdfast_schedule_ticks_total", { schedule, outcome }) ?? 0;

    const reading = await untilReported(
      () => scrape(url),
      "ticks of both",
      (some) => ticks(some, "good", "enqueued") > 0 && ticks(some, "bad", "failed") > 0,
    );

    expect(ticks(reading, "good", "failed") + ticks(reading, "bad", "enqueued")).toBe(0);
    const late = { schedule: "good" };
    expect(reading.value("holdfast_schedule_lateness_seconds_count", late)).toBe(
      ticks(reading, "good", "enqueued"),
    );
    expect(reading.value("holdfast_submissions_total", { type: "ticked", outcome: "accepted" })).toBe(
      ticks(reading, "good", "enqueued"),
    );
  });
});

describe("names invented by hostile clients", () => {
  it("create no series", async () => {
    const known = anyJob({ type: "known" });
    const { url, submit, service, ofApi, ofWorker } = await startMeasured(
      applicationOf(known.handler(async () => 1)),
    );
    const made = Array.from({ length: 20 }, (_, index) => `made-up-${index}`);
    for (const name of made) {
      await submit({ type: name, payload: 1, idempotencyKey: "k" });
      await get(`${url}/${name}`);
      await get(`${url}/jobs/${name}/status`);
    }
    for (const body of [[], "text", { type: { a: 1 } }, { type: "__proto__" }]) await submit(body as object);
    await fetch(`${url}/jobs/x/status`, { method: "DELETE" });
    // Anyone with access to Redis can add jobs of any name.
    for (const name of made)
      await service.openBareQueue().add(name, { key: name, payload: 1 }, { attempts: 1 });

    const worker = await untilReported(
      ofWorker,
      "the attempts at all of them",
      (reading) =>
        (reading.value("holdfast_attempts_total", { type: "other", outcome: "deferred", code: "" }) ?? 0) >=
        20,
    );
    const api = await ofApi();

    expect(worker.text + api.text).not.toContain("made-up");
    expect(api.labelValues("holdfast_submissions_total", "type")).toEqual(["known", "other"]);
    expect(worker.labelValues("holdfast_attempts_total", "type")).toEqual(["known", "other"]);
    expect(api.labelValues("holdfast_http_requests_total", "route").sort()).toEqual([
      "/jobs",
      "/jobs/:id/status",
      "none",
    ]);
    expect(api.value("holdfast_http_requests_total", { route: "none", method: "any", status: "404" })).toBe(
      20,
    );
  });
});

describe("while Redis is down", () => {
  it("a scrape is answered in time and only shows that, and shows everything again when it is back", async () => {
    const server = await startRedisServer();
    onTestFinished(() => server.stop());
    const job = anyJob();
    const application = applicationOf(job.handler(async () => "fine") as JobHandler);
    const { ofApi, ofWorker, submit } = await startMeasured(application, { REDIS_URL: server.url });
    await submit({ type: "any", payload: 1, idempotencyKey: "k" });
    for (const read of [ofApi, ofWorker]) {
      expect((await read()).labelValues("holdfast_jobs", "queue")).toEqual([queue]); // soon outdated numbers
    }
    const timed = async (read: () => Promise<Scrape>) => {
      const askedAt = performance.now();
      return { reading: await read(), tookMs: performance.now() - askedAt };
    };
    const isAway = async () => {
      for (const { reading, tookMs } of await Promise.all([timed(ofApi), timed(ofWorker)])) {
        expect(reading.status).toBe(200);
        expect(tookMs).toBeLessThan(2_000);
        expect(reading.value("holdfast_store_up")).toBe(0);
        expect(reading.text).not.toMatch(
          /^holdfast_(jobs|workers|oldest_waiting\w*|effects_in_doubt|store_ping\w*)[ {]/m,
        );
        expect(reading.text).toMatch(/^holdfast_\w+_total\{/m);
      }
    };

    process.kill(server.pid, "SIGSTOP");
    await isAway();
    process.kill(server.pid, "SIGCONT");
    await server.kill();
    await isAway();
    await server.restart();

    for (const read of [ofApi, ofWorker]) {
      await untilReported(
        read,
        "that the store is back",
        (reading) => reading.value("holdfast_store_up") === 1,
      );
    }
    expect((await ofApi()).labelValues("holdfast_jobs", "queue")).toEqual([queue]);
  });
});

describe("a worker without a metrics port", () => {
  it("serves none", async () => {
    const application = applicationOf(anyJob().handler(async () => "fine"));
    const service = createService(application);
    const worker = await startWorker(application, service.env);
    onTestFinished(worker.stop);

    expect(worker.metricsUrl).toBeUndefined();
  });
});
