import { PermanentError } from "holdfast";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { anyJob, application, echo } from "../../support/application.ts";
import { get } from "../../support/http.ts";
import { latch } from "../../support/latch.ts";
import { applicationOf, createService, untilState } from "../../support/service.ts";
import { storeContents } from "../../support/store-contents.ts";
import { until } from "../../support/until.ts";

const isoTime = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

/** A job without any change. */
const fresh = {
  type: "any",
  attemptsMade: 0,
  maxAttempts: 3,
  tags: [],
  progress: null,
  submittedAt: isoTime,
  startedAt: null,
  finishedAt: null,
  nextAttemptAt: null,
  result: null,
  error: null,
  effects: [],
};

describe("a job's status", () => {
  const job = anyJob({ retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 50 } } });

  /** A service whose job does what `handle` says. */
  async function serviceThat(handle: Parameters<typeof job.handler>[0]) {
    const service = createService(applicationOf(job.handler(handle)));
    const [producer, queue] = [await service.createProducer(), service.openBareQueue()];
    const submit = (options = {}) => producer.submit(job, 1, { idempotencyKey: "k", ...options });
    return { service, producer, queue, submit };
  }

  it("is waiting while no worker runs", async () => {
    const { submit, producer, queue } = await serviceThat(async () => 1);

    const { id } = await submit();

    expect(await producer.status(id)).toEqual({ ...fresh, id, state: "waiting" });
    expect(await queue.getJobState(id)).toBe("waiting");
    expect(await queue.getJobCounts()).toMatchObject({ waiting: 1 });
  });

  it("is delayed until its time, and shows that time", async () => {
    const { submit, producer, queue } = await serviceThat(async () => 1);
    const runAt = new Date(Date.now() + 60_000);

    const { id } = await submit({ runAt });

    const status = await producer.status(id);
    expect(status).toEqual({ ...fresh, id, state: "delayed", nextAttemptAt: isoTime });
    const offMs = Date.parse(status?.nextAttemptAt ?? "") - runAt.getTime();
    expect(Math.abs(offMs)).toBeLessThan(1_000);
    expect(await queue.getJobState(id)).toBe("delayed");
    expect(await queue.getJobCounts()).toMatchObject({ delayed: 1 });
  });

  it("is prioritized if it waits with a priority", async () => {
    const { submit, producer, queue } = await serviceThat(async () => 1);

    const { id } = await submit({ priority: 5 });

    expect(await producer.status(id)).toEqual({ ...fresh, id, state: "prioritized" });
    expect(await queue.getJobState(id)).toBe("prioritized");
    expect(await queue.getJobCounts()).toMatchObject({ prioritized: 1 });
  });

  it("is active while an attempt runs, and shows the handler's progress", async () => {
    const [reported, release] = [latch(), latch()];
    const { service, submit, producer, queue } = await serviceThat(async ({ progress }) => {
      await progress({ percent: 40 });
      reported.open();
      await release.opened;
    });
    const { id } = await submit();

    await service.startWorker();
    await reported.opened;

    expect(await producer.status(id)).toEqual({
      ...fresh,
      id,
      state: "active",
      progress: { percent: 40 },
      startedAt: isoTime,
    });
    expect(await queue.getJobState(id)).toBe("active");
    expect(await queue.getJobCounts()).toMatchObject({ active: 1 });
    release.open();
  });

  it("is completed with the handler's result", async () => {
    const { service, submit, producer, queue } = await serviceThat(async () => ({ sum: 3 }));
    await service.startWorker();

    const { id } = await submit();

    const status = await untilState(producer, id, "completed");
    expect(status).toEqual({
      ...fresh,
      id,
      state: "completed",
      attemptsMade: 1,
      startedAt: isoTime,
      finishedAt: isoTime,
      result: { sum: 3 },
    });
    expect([status.submittedAt, status.startedAt, status.finishedAt].sort()).toEqual([
      status.submittedAt,
      status.startedAt,
      status.finishedAt,
    ]);
    expect(await queue.getJobState(id)).toBe("completed");
    expect(await queue.getJob(id)).toMatchObject({ returnvalue: { sum: 3 }, attemptsMade: 1 });
    expect(await queue.getJobCounts()).toMatchObject({ completed: 1 });
  });

  it("is failed with the reason", async () => {
    const { service, submit, producer, queue } = await serviceThat(async () => {
      throw new PermanentError("no such customer");
    });
    await service.startWorker();

    const { id } = await submit();

    expect(await untilState(producer, id, "failed")).toEqual({
      ...fresh,
      id,
      state: "failed",
      attemptsMade: 1,
      startedAt: isoTime,
      finishedAt: isoTime,
      error: { code: "PERMANENT_FAILURE", message: "no such customer", retryable: false },
    });
    expect(await queue.getJobState(id)).toBe("failed");
    expect(await queue.getJob(id)).toMatchObject({ failedReason: "PERMANENT_FAILURE: no such customer" });
    expect(await queue.getJobCounts()).toMatchObject({ failed: 1 });
  });

  it("shows the latest failure between two attempts, and forgets it once one succeeds", async () => {
    const job = anyJob({ retry: { attempts: 2, backoff: { kind: "fixed", delayMs: 60_000 } } });
    const handler = job.handler(async ({ attempt }) => {
      if (attempt === 1) throw new Error("first try");
    });
    const service = createService(applicationOf(handler));
    const [producer, queue] = [await service.createProducer(), service.openBareQueue()];
    await service.startWorker();

    const { id } = await producer.submit(job, 1, { idempotencyKey: "k" });

    expect(await untilState(producer, id, "delayed")).toMatchObject({
      attemptsMade: 1,
      finishedAt: null,
      nextAttemptAt: isoTime,
      error: { code: "HANDLER_FAILED", message: "first try", retryable: true },
    });
    await (await queue.getJob(id))?.promote();
    expect(await untilState(producer, id, "completed")).toMatchObject({
      attemptsMade: 2,
      nextAttemptAt: null,
      error: null,
    });
  });

  it("reflects changes made with BullMQ's own tools", async () => {
    let isMended = false;
    const { service, submit, producer, queue } = await serviceThat(async () => {
      if (!isMended) throw new PermanentError("broken");
      return "mended";
    });
    await service.startWorker();
    const { id } = await submit();
    await untilState(producer, id, "failed");

    isMended = true;
    await (await queue.getJob(id))?.retry();
    expect(await untilState(producer, id, "completed")).toMatchObject({ result: "mended", error: null });

    await (await queue.getJob(id))?.remove();
    expect(await producer.status(id)).toBeUndefined();
  });

  it("of many jobs in many states equals BullMQ's own", async () => {
    const service = createService(
      applicationOf(
        job.handler(async ({ payload, signal }) => {
          if (payload === "fail") throw new PermanentError("as asked");
          if (payload === "hang") await new Promise((resolve) => signal.addEventListener("abort", resolve));
        }),
      ),
      { HOLDFAST_CONCURRENCY: "4", HOLDFAST_STOP_GRACE_MS: "0" },
    );
    const [producer, queue] = [await service.createProducer(), service.openBareQueue()];
    const submit = (payload: string, options = {}) =>
      producer.submit(job, payload, { idempotencyKey: `${payload}-${Math.random()}`, ...options });
    await service.startWorker();
    const ended = [await submit("succeed"), await submit("fail")];
    for (const { id } of ended) await untilState(producer, id, "completed", "failed");
    const running = await Promise.all(Array.from({ length: 4 }, () => submit("hang")));
    for (const { id } of running) await untilState(producer, id, "active");
    const others = [
      await submit("wait"),
      await submit("wait", { delayMs: 60_000 }),
      await submit("wait", { priority: 1 }),
    ];

    const ids = [...ended, ...running, ...others].map(({ id }) => id);
    const states = await Promise.all(ids.map(async (id) => (await producer.status(id))?.state));

    expect(states).toEqual(await Promise.all(ids.map((id) => queue.getJobState(id))));
    expect(new Set(states).size).toBe(6);
  });
});

describe("the status of an invalid id", () => {
  const service = createService(application, {}, afterAll);
  let root: string;
  let ours: string;
  beforeAll(async () => {
    root = (await service.startApi()).url;
    ours = (await (await service.createProducer()).submit(echo, 1, { idempotencyKey: "k" })).id;
  });

  it.each([
    "active",
    "wait",
    "meta",
    "events",
    "id",
    "stalled-check",
    "a:b:c",
    "__proto__",
    "constructor",
    "1",
    "0",
    "*",
    " ",
    "%00",
    "../jobs",
    "{default}:wait",
    "default_019ab3c2-7c1e-7d3a-9a54-0123456789ab",
    "nosuchqueue_019ab3c2-7c1e-7d3a-9a54-0123456789ab",
    "\u{1f511}",
    "x".repeat(10_240),
    "é".repeat(2_000),
  ])("is 404, and the request breaks nothing: %j", async (id) => {
    const before = await storeContents(service);

    const { status, headers, body } = await get(`${root}/jobs/${encodeURIComponent(id)}/status`);

    expect(status).toBe(404);
    expect(headers.get("content-type")).toMatch(/^application\/problem\+json/);
    expect(body).toMatchObject({ status: 404, code: "JOB_NOT_FOUND" });
    expect(await storeContents(service)).toBe(before);
    expect(await get(`${root}/jobs/${ours}/status`)).toMatchObject({
      status: 200,
      body: { state: "waiting" },
    });
  });

  it("of a queue that does not exist leaves nothing in Redis, nor anything to check there each second", async () => {
    const madeUp = `made-up_${ours.slice(ours.indexOf("_") + 1)}`;
    expect(await get(`${root}/jobs/${madeUp}/status`)).toMatchObject({ status: 404 });
    const since = performance.now();
    await until("epochs were checked again", () => performance.now() - since > 2_500);

    expect(await service.connect().keys(`${service.env.HOLDFAST_PREFIX}:{made-up}:*`)).toEqual([]);
  });

  it("is 404 for a suffix to one of our ids", async () => {
    for (const added of [":lock", ":logs", "%20", "%0A", "x"]) {
      expect(await get(`${root}/jobs/${ours}${added}/status`)).toMatchObject({ status: 404 });
    }
  });

  it("is not cached", async () => {
    expect((await get(`${root}/jobs/${ours}/status`)).headers.get("cache-control")).toBe("no-store");
  });
});
