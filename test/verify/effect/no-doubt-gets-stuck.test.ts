import { setTimeout as sleep } from "node:timers/promises";
import { type Attempt, defineJob, InDoubtError } from "holdfast";
import type { Redis } from "ioredis";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { queueKey, queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { dedupKeyOf } from "../../../src/core/job/dedup-key.ts";
import { get, post } from "../../support/http.ts";
import { latch } from "../../support/latch.ts";
import { monitorCommands } from "../../support/monitor.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import { applicationOf, createService, untilState, type Variables } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const job = defineJob({
  type: "acting",
  payload: z.null(),
  result: z.unknown(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 30_000,
  effects: {
    act: { timeoutMs: 1_000, inDoubt: "hold" },
    other: { timeoutMs: 20_000, inDoubt: "hold" },
  },
});
type Handle = (attempt: Attempt<null, "act" | "other">) => Promise<unknown>;

const unanswered = () => Promise.reject(Object.assign(new Error("socket hang up"), { code: "ECONNRESET" }));

async function listed(url: string) {
  const { body } = await get(`${url}/doubts?limit=200`);
  return body.doubts as { readonly jobId: string; readonly effect: string }[];
}

async function start(handle: Handle, variables: Variables = {}) {
  const service = createService(applicationOf(job.handler(handle)), {
    HOLDFAST_LOCK_MS: "2000",
    ...variables,
  });
  const producer = await service.createProducer();
  const api = await service.startApi();
  const worker = await service.startWorker();
  const { id } = await producer.submit(job, null, { idempotencyKey: "k" });
  const resolve = (effect: string, as: "done" | "not-done") =>
    post(`${api.url}/jobs/${id}/effects/${effect}/resolve`, { as, evidence: "looked" });
  const doubts = async () => (await listed(api.url)).map(({ effect }) => effect);
  const { HOLDFAST_PREFIX: prefix } = service.env;
  return { service, worker, producer, api, id, resolve, doubts, prefix, redis: service.connect() };
}

/** The same on its own Redis, whose refusals of writes the test can switch. */
async function startOnOwnStore(
  handle: (attempt: Parameters<Handle>[0], refusals: Refusals) => Promise<unknown>,
) {
  const server = await startRedisServer();
  onTestFinished(() => server.stop());
  let refusals: Refusals | undefined;
  const started = await start(
    async (attempt) => {
      await until("the refusals can be switched", () => refusals);
      return await handle(attempt, refusals as Refusals);
    },
    { REDIS_URL: server.url, HOLDFAST_LOCK_MS: "5000" },
  );
  refusals = refusalsOf(started.redis);
  return { ...started, refusals };
}

interface Refusals {
  begin(): Promise<void>;
  end(): Promise<void>;
  /** Commands answered with NOREPLICAS so far. */
  count(): Promise<number>;
}

/** Redis refuses every write while it has no replica. */
function refusalsOf(redis: Redis): Refusals {
  const set = async (replicas: number) => void (await redis.config("SET", "min-replicas-to-write", replicas));
  return {
    begin: () => set(1),
    end: () => set(0),
    count: async () =>
      Number(/errorstat_NOREPLICAS:count=(\d+)/.exec(await redis.info("errorstats"))?.[1] ?? 0),
  };
}

describe("a doubt that is resolved", () => {
  it("while another effect of the attempt still runs does not leave the job stuck", async () => {
    const gate = latch();
    let acts = 0;
    const { producer, id, resolve, doubts } = await start(async ({ effect }) => {
      const other = effect("other", () => gate.opened);
      acts += 1;
      if (acts === 1) await effect("act", unanswered).catch(() => {});
      else await effect("act", async () => {});
      await other;
      return acts;
    });
    await until("it is listed", async () => (await doubts()).includes("act"));

    expect(await resolve("act", "not-done")).toMatchObject({ status: 200, body: { job: "running" } });
    gate.open();

    expect(await untilState(producer, id, "completed")).toMatchObject({ result: 2 });
    expect(await doubts()).toEqual([]);
  });

  it("releases its job in the same atomic step", async () => {
    let acts = 0;
    const { service, worker, producer, id, resolve, redis } = await start(async ({ effect }) => {
      acts += 1;
      if (acts === 1) await effect("act", unanswered);
      return await effect("act", async () => acts);
    });
    await untilState(producer, id, "failed");
    const steps: string[] = [];
    let hasSeenAll = false;
    await monitorCommands(redis, ({ isOfScript, text }) => {
      hasSeenAll ||= text.includes('"resolved"');
      const isOfJob = text.includes(id) || text.includes('"act"');
      if (!isOfScript && isOfJob && /^"eval/i.test(text)) steps.push(text);
    });
    await worker.stop();

    expect(await resolve("act", "not-done")).toMatchObject({ status: 200, body: { job: "retried" } });

    await redis.echo("resolved");
    await until("every command until here was seen", () => hasSeenAll);
    expect(steps).toHaveLength(1);
    expect((await producer.status(id))?.state).toBe("waiting");
    await service.startWorker();
    expect(await untilState(producer, id, "completed")).toMatchObject({ result: 2 });
  });

  it("of a cancelled job does not run it", async () => {
    const begun = latch();
    let runs = 0;
    const { producer, api, id, resolve, doubts, redis, prefix } = await start(async ({ effect }) => {
      runs += 1;
      await effect("act", async ({ signal }) => {
        begun.open();
        await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      });
    });
    await begun.opened;
    await post(`${api.url}/jobs/${id}/cancel`, {});
    await untilState(producer, id, "failed");
    await until("it is listed", async () => (await doubts()).includes("act"));

    // Its run is over a moment after its job.
    const { body } = await until("its run is over", async () => {
      const answer = await resolve("act", "not-done");
      return answer.status === 200 && answer;
    });
    expect(body).toMatchObject({ job: "cancelled" });

    const ledger = queueKeys(prefix, "default").ledger(dedupKeyOf("acting", "k"));
    expect(await redis.hget(ledger, "open")).toBe("0");
    expect(await producer.status(id)).toMatchObject({ state: "failed", error: { code: "CANCELLED" } });
    expect(runs).toBe(1);
  });

  it("of a job removed by retention reports that it is gone, and keeps what else of it is in doubt", async () => {
    const { producer, id, resolve, doubts, redis, prefix } = await start(({ effect }) =>
      Promise.allSettled([effect("act", unanswered), effect("other", unanswered)]),
    );
    await untilState(producer, id, "failed");
    const { joinedJobs, newLedgers, ledger } = queueKeys(prefix, "default");
    await until("the sweep has looked at it", async () => (await redis.exists(newLedgers)) === 0);
    await redis
      .multi()
      .zrem(queueKey(prefix, "default", "failed"), id)
      .del(queueKey(prefix, "default", id))
      .zadd(joinedJobs, 0, `${id}/${dedupKeyOf("acting", "k")}`)
      .exec();
    await until("it has left its ledger", async () => (await redis.exists(joinedJobs)) === 0);
    const left = () => redis.pttl(ledger(dedupKeyOf("acting", "k")));

    expect(await left()).toBe(-1);
    expect(await resolve("act", "not-done")).toMatchObject({ status: 200, body: { job: "gone" } });
    expect(await left()).toBe(-1);
    expect(await doubts()).toEqual(["other"]);
    expect(await resolve("other", "done")).toMatchObject({ status: 200, body: { job: "gone" } });
    expect(await left()).toBeGreaterThan(0);
  });

  it("keeps its job waiting for its other doubts", async () => {
    let runs = 0;
    const { producer, id, resolve } = await start(async ({ effect }) => {
      runs += 1;
      const both = await Promise.allSettled([effect("act", unanswered), effect("other", unanswered)]);
      return both.map(({ status }) => status);
    });
    await untilState(producer, id, "failed");

    expect(await resolve("act", "done")).toMatchObject({ status: 200, body: { job: "in-doubt" } });
    expect(await producer.status(id)).toMatchObject({ state: "failed", error: { code: "EFFECT_IN_DOUBT" } });
    expect(await resolve("other", "done")).toMatchObject({ status: 200, body: { job: "retried" } });

    await untilState(producer, id, "completed");
    expect(runs).toBe(2);
  });
});

describe("a Redis that replies with errors", () => {
  it("while an effect is reported done delays the attempt's end, and changes nothing else", async () => {
    const { producer, id, refusals } = await startOnOwnStore(async ({ effect }, refusals) => {
      await effect("act", refusals.begin);
      return "acted";
    });
    await until("reports are refused", async () => (await refusals.count()) >= 3);
    expect((await producer.status(id))?.state).toBe("active");
    await refusals.end();

    expect(await untilState(producer, id, "completed", "failed")).toMatchObject({
      state: "completed",
      result: "acted",
      attemptsMade: 1,
      effects: [{ name: "act", state: "done" }],
    });
  });

  it("off and on, every few milliseconds, completes no job with an open effect", async () => {
    const { api, producer, refusals, redis, prefix } = await startOnOwnStore(async ({ effect }) => {
      return await effect("act", async () => 1);
    });
    // The fault's own rhythm: shorter than an attempt, so that each meets it at several steps.
    const isOverAt = performance.now() + 8_000;
    const flips = (async () => {
      while (performance.now() < isOverAt) {
        await refusals.begin();
        await sleep(7); // the rhythm of the fault
        await refusals.end();
        await sleep(7); // the rhythm of the fault
      }
    })();
    const submit = async (n: number) => {
      const again = () => producer.submit(job, null, { idempotencyKey: `k${n}` }).catch(() => undefined);
      return (await until("it is accepted", again)).id;
    };
    const ids = await Promise.all(Array.from({ length: 100 }, (_, n) => submit(n)));
    for (const id of ids) await untilState(producer, id, "completed", "failed");
    await flips;

    await until("nothing that completed has an open effect", async () => {
      const completed = await redis.zrange(queueKey(prefix, "default", "completed"), "0", "-1");
      const open = await Promise.all(completed.map(async (id) => (await producer.status(id))?.effects));
      return open.every((effects) => effects?.every(({ state }) => state === "done"));
    });
    const inDoubt = new Set((await listed(api.url)).map(({ jobId }) => jobId));
    for (const id of ids) {
      const status = await producer.status(id);
      if (status?.error?.code === "EFFECT_IN_DOUBT") expect(inDoubt).toContain(id);
    }
  });
});

describe("a handler that throws InDoubtError outside of any effect", () => {
  it("fails permanently instead, because there would be nothing to list or resolve", async () => {
    const { producer, id } = await start(() => Promise.reject(new InDoubtError("who knows")));

    expect(await untilState(producer, id, "completed", "failed")).toMatchObject({
      error: { code: "PERMANENT_FAILURE", message: expect.stringContaining("who knows") },
    });
  });
});
