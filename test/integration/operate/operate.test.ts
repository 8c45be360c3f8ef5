import { createProducer, defineConfig, defineJob, PermanentError } from "holdfast";
import { startApi } from "holdfast/server";
import { startWorker } from "holdfast/worker";
import { afterAll, beforeAll, describe, expect, inject, it, vi } from "vitest";
import { z } from "zod";

const env = {
  REDIS_URL: inject("redisUrl"),
  HOLDFAST_PREFIX: `operate-${process.pid}`,
  HOLDFAST_LOG_LEVEL: "silent",
  HOLDFAST_LOCK_MS: "1000",
  HOLDFAST_PORT: "0",
};

/** The payload decides what a job does. */
const job = defineJob({
  type: "obeying",
  payload: z.strictObject({ order: z.enum(["wait", "fail", "succeed", "doubt"]) }),
  result: z.unknown(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 30_000,
  effects: { act: { timeoutMs: 5_000, inDoubt: "hold" } },
});
let isHealed = false;
const runs = new Map<string, number>();
const aborted: unknown[] = [];
/** The key of the effect in doubt. */
let passedOn = "";
const handler = job.handler(async ({ payload, signal, effect, idempotencyKey }) => {
  runs.set(idempotencyKey, (runs.get(idempotencyKey) ?? 0) + 1);
  if (payload.order === "fail" && !isHealed) throw new PermanentError("the order was to fail");
  if (payload.order === "doubt")
    await effect("act", ({ key }) => {
      passedOn = key;
      return Promise.reject(Object.assign(new Error("lost"), { code: "EPIPE" }));
    });
  if (payload.order !== "wait") return payload.order;
  return await new Promise((_, reject) => {
    signal.addEventListener("abort", () => {
      aborted.push(signal.reason.code);
      reject(signal.reason);
    });
  });
});
const application = defineConfig({ jobs: [job], handlers: async () => [handler] });

const api = startApi(application, env);
const producer = createProducer(application, env);
beforeAll(() => Promise.all([api, producer]));
afterAll(() => Promise.all([api, producer].map(async (part) => (await part).stop())));

type Order = "wait" | "fail" | "succeed" | "doubt";

async function submit(key: string, order: Order, options = {}): Promise<string> {
  return (await (await producer).submit(job, { order }, { idempotencyKey: key, ...options })).id;
}

async function call(method: string, path: string, body?: unknown) {
  const response = await fetch(`${(await api).url}${path}`, {
    method,
    ...(body !== undefined && {
      body: JSON.stringify(body),
      headers: { "content-type": "application/json" },
    }),
  });
  const text = await response.text();
  return {
    status: response.status,
    body: response.headers.get("content-type")?.includes("json") ? JSON.parse(text) : text,
  };
}

async function inState(id: string, state: string) {
  return await vi.waitFor(
    async () => {
      const { body } = await call("GET", `/jobs/${id}/status`);
      expect(body).toMatchObject({ state });
      return body;
    },
    { timeout: 30_000, interval: 20 },
  );
}

async function withWorker<T>(use: () => Promise<T>): Promise<T> {
  const worker = await startWorker(application, { ...env, HOLDFAST_STOP_GRACE_MS: "100" });
  try {
    return await use();
  } finally {
    await worker.stop();
  }
}

describe("cancelling a job", () => {
  const cancelled = { state: "failed", error: { code: "CANCELLED", retryable: false } };

  it("ends any waiting one at once, without a worker", async () => {
    const waiting = await submit("waiting", "succeed");
    const delayed = await submit("delayed", "succeed", { delayMs: 60_000 });
    const prioritized = await submit("prioritized", "succeed", { priority: 5 });
    for (const id of [waiting, delayed, prioritized]) {
      expect(await call("POST", `/jobs/${id}/cancel`)).toEqual({
        status: 200,
        body: { id, outcome: "cancelled" },
      });
      expect((await call("GET", `/jobs/${id}/status`)).body).toMatchObject({
        ...cancelled,
        finishedAt: expect.any(String),
      });
    }
    await withWorker(async () => inState(await submit("other", "succeed"), "completed"));
    expect([...runs.keys()]).not.toEqual(expect.arrayContaining(["waiting"]));
  });

  it("signals a running one in any process, and ends it as failed", async () => {
    await withWorker(async () => {
      const id = await submit("running", "wait");
      await inState(id, "active");
      expect(await call("POST", `/jobs/${id}/cancel`)).toEqual({
        status: 200,
        body: { id, outcome: "cancelling" },
      });
      expect(await inState(id, "failed")).toMatchObject(cancelled);
      expect(aborted).toContain("CANCELLED");
    });
  });

  it("is refused for an ended or unknown job", async () => {
    const id = await withWorker(async () => {
      const done = await submit("over", "succeed");
      await inState(done, "completed");
      return done;
    });
    expect(await call("POST", `/jobs/${id}/cancel`)).toMatchObject({
      status: 409,
      body: { code: "JOB_ENDED" },
    });
    for (const strange of [
      "active",
      "other_019ab3c2-7c1e-7d3a-9a54-5f2b8c1d0e6f",
      "default_019ab3c2-7c1e-7d3a-9a54-5f2b8c1d0e6f",
    ]) {
      expect(await call("POST", `/jobs/${strange}/cancel`)).toMatchObject({
        status: 404,
        body: { code: "JOB_NOT_FOUND" },
      });
    }
  });
});

describe("retrying a job", () => {
  it("runs a failed one again, and is refused for any other", async () => {
    await withWorker(async () => {
      const id = await submit("to-retry", "fail");
      await inState(id, "failed");
      isHealed = true;
      expect(await call("POST", `/jobs/${id}/retry`)).toEqual({
        status: 200,
        body: { id, outcome: "retried" },
      });
      expect(await inState(id, "completed")).toMatchObject({ attemptsMade: 1, error: null });
      expect(await call("POST", `/jobs/${id}/retry`)).toMatchObject({
        status: 409,
        body: { code: "JOB_NOT_FAILED" },
      });
      isHealed = false;
    });
  });

  it("keeps the failures of before", async () => {
    await withWorker(async () => {
      const id = await submit("failed-thrice", "fail");
      const attempts = async () => {
        const { body } = await call("GET", `/jobs/${id}`);
        return body.attempts as { startedAt: string; stack: string }[];
      };
      for (const failed of [1, 2, 3]) {
        await inState(id, "failed");
        await vi.waitFor(async () => expect(await attempts()).toHaveLength(failed), 20_000);
        await call("POST", `/jobs/${id}/retry`);
      }
      await inState(id, "failed");
      const starts = (await attempts()).map(({ startedAt }) => startedAt);
      expect(starts).toHaveLength(4);
      expect(starts).toEqual(starts.toSorted());
    });
  });

  it("runs a cancelled one after all", async () => {
    const id = await submit("cancelled-then-retried", "succeed");
    await call("POST", `/jobs/${id}/cancel`);
    await call("POST", `/jobs/${id}/retry`);
    await withWorker(() => inState(id, "completed"));
  });
});

describe("listing jobs", () => {
  it("pages through them without missing or repeating one, and filters by state, type and key", async () => {
    const ids: string[] = [];
    for (let n = 0; n < 25; n += 1) ids.push(await submit(`page-${n}`, "succeed"));
    const listed: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const { body } = await call("GET", `/jobs?state=waiting&limit=10${cursor && `&cursor=${cursor}`}`);
      listed.push(...body.jobs.map((listedJob: { id: string }) => listedJob.id));
      cursor = body.nextCursor;
    }
    expect(listed).toEqual(ids);
    const { body: byKey } = await call("GET", "/jobs?idempotencyKey=page-7");
    expect(byKey).toMatchObject({
      jobs: [{ id: ids[7], idempotencyKey: "page-7", state: "waiting" }],
      nextCursor: null,
    });
    expect((await call("GET", "/jobs?type=nothing&state=waiting")).body.jobs).toEqual([]);
    await withWorker(() =>
      vi.waitFor(async () => expect((await call("GET", "/jobs?state=waiting")).body.jobs).toEqual([]), {
        timeout: 20_000,
      }),
    );
  });

  it("lists the latest finished jobs first, even while more finish", async () => {
    const { body: first } = await call("GET", "/jobs?state=completed&limit=5");
    await withWorker(async () => inState(await submit("meanwhile", "succeed"), "completed"));
    const { body: second } = await call("GET", `/jobs?state=completed&limit=5&cursor=${first.nextCursor}`);
    const ids = [...first.jobs, ...second.jobs].map((listedJob: { id: string }) => listedJob.id);
    expect(new Set(ids).size).toBe(10);
  });

  it("refuses unknown parameters, with a pointer to each", async () => {
    const { status, body } = await call("GET", "/jobs?state=lost&limit=0&colour=red");
    expect(status).toBe(400);
    expect(body.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual(
      expect.arrayContaining(["/state", "/limit"]),
    );
    expect(await call("GET", "/jobs?cursor=rubbish")).toMatchObject({
      status: 400,
      body: { code: "INVALID_REQUEST" },
    });
  });
});

describe("resolving a doubt over HTTP", () => {
  it("lists it, counts it in the metrics, resolves it once with evidence, and lets the job go on", async () => {
    await withWorker(async () => {
      const id = await submit("doubtful", "doubt");
      await inState(id, "failed");
      const { body } = await call("GET", "/doubts");
      expect(body.doubts).toContainEqual(
        expect.objectContaining({ jobId: id, effect: "act", effectKey: passedOn, reason: "lost" }),
      );
      expect((await call("GET", "/metrics")).body).toMatch(/holdfast_effects_in_doubt\{queue="default"\} 1/);
      const resolve = `/jobs/${id}/effects/act/resolve`;
      expect(await call("POST", resolve, { as: "perhaps" })).toMatchObject({
        status: 400,
        body: { code: "INVALID_REQUEST" },
      });
      expect(await call("POST", resolve, { as: "done", evidence: "log line 7" })).toMatchObject({
        status: 200,
      });
      expect(await inState(id, "completed")).toMatchObject({ effects: [{ name: "act", state: "done" }] });
      expect(await call("POST", resolve, { as: "done", evidence: "again" })).toMatchObject({
        status: 409,
        body: { code: "EFFECT_NOT_IN_DOUBT" },
      });
      expect((await call("GET", "/metrics")).body).toMatch(/holdfast_effects_in_doubt\{queue="default"\} 0/);
    });
  });
});

describe("resolving an effect that a job never asked for", () => {
  it("is refused as not in doubt, and only for a job that does not exist as not found", async () => {
    const id = await submit("no-effect", "succeed");
    const resolve = (job: string) =>
      call("POST", `/jobs/${job}/effects/act/resolve`, { as: "done", evidence: "none" });

    expect(await resolve(id)).toMatchObject({
      status: 409,
      body: { code: "EFFECT_NOT_IN_DOUBT", detail: expect.stringContaining("not in the ledger") },
    });
    expect(await resolve("default_019ab3c2-7c1e-7d3a-9a54-0123456789ab")).toMatchObject({
      status: 404,
      body: { code: "JOB_NOT_FOUND" },
    });
  });
});

describe("what is done by hand", () => {
  const reason = "bad deploy 7f3a";

  it("is on record: with the job, and in the audit log by job and by queue", async () => {
    const id = await submit("recorded", "succeed");
    await call("POST", `/jobs/${id}/cancel`, { reason });
    await call("POST", `/jobs/${id}/retry`);
    await call("POST", "/queues/default/pause", { reason: "a look" });
    await call("POST", "/queues/default/resume");
    await call("PUT", "/queues/default/limits", { concurrency: 5 });
    await call("PUT", "/queues/default/limits", {});

    const { body: detail } = await call("GET", `/jobs/${id}`);
    expect(detail.record).toMatchObject([
      {
        as: "cancelled",
        by: "API",
        reason,
        effect: null,
        actId: null,
        text: `cancelled over the API: ${reason}`,
      },
      { as: "retried", reason: "" },
    ]);
    const { body: ofJob } = await call("GET", `/audit?jobId=${id}`);
    expect(ofJob.entries).toMatchObject([
      { jobId: id, as: "retried", queue: "default", count: null },
      { jobId: id, as: "cancelled", evidence: reason },
    ]);
    const { body: ofQueue } = await call("GET", "/audit?queue=default&limit=4");
    expect(ofQueue.entries.map(({ as, evidence }: Record<string, string>) => [as, evidence])).toEqual([
      ["limited", "as declared"],
      ["limited", "5 at a time"],
      ["resumed", ""],
      ["paused", "a look"],
    ]);
    expect(await call("GET", "/audit?queue=nothing")).toMatchObject({ status: 404 });
    await withWorker(() => inState(id, "completed"));
  });

  it("stays with the job for the newest 20 only", async () => {
    const id = await submit("often", "succeed");
    for (let n = 0; n < 12; n += 1) {
      await call("POST", `/jobs/${id}/cancel`, { reason: `no ${n}` });
      await call("POST", `/jobs/${id}/retry`);
    }
    const { body } = await call("GET", `/jobs/${id}`);
    expect(body.record).toHaveLength(20);
    expect(body.record[0].text).toBe("cancelled over the API: no 2");
    await call("DELETE", `/jobs/${id}`);
    await withWorker(() => inState(id, "completed"));
  });
});
