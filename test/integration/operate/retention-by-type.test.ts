import { defineConfig, defineJob, type JobRetention, type Operator, type Producer } from "holdfast";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { queueKey } from "../../../src/core/bullmq/store/queue-keys.ts";
import { latch } from "../../support/latch.ts";
import { createService } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const runs = new Map<string, number>();
/** Handlers wait for these, by idempotency key. */
const gates = new Map<string, Promise<void>>();

function jobKept(type: string, retention?: JobRetention) {
  return defineJob({
    type,
    payload: z.enum(["complete", "fail", "doubt"]),
    result: z.unknown(),
    retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 10 } },
    timeoutMs: 10_000,
    effects: { act: { timeoutMs: 1_000, inDoubt: "hold" } },
    ...(retention && { retention }),
  });
}

const brief = jobKept("brief", { completed: { ageMs: 0 }, failed: { ageMs: 0 } });
const few = jobKept("few", { failed: { count: 2 } });
const latest = jobKept("latest", { failed: { count: 2 } });
const plain = jobKept("plain");
const jobs = [brief, few, latest, plain];
const application = defineConfig({
  jobs,
  handlers: async () =>
    jobs.map((job) =>
      job.handler(async ({ payload, effect, idempotencyKey }) => {
        await effect("act", async () => {
          runs.set(idempotencyKey, (runs.get(idempotencyKey) ?? 0) + 1);
          if (payload === "doubt") throw Object.assign(new Error("hang up"), { code: "ECONNRESET" });
        });
        await gates.get(idempotencyKey);
        if (payload === "fail") throw new Error("on request");
        return payload;
      }),
    ),
});

const service = createService(application, {}, afterAll);
const redis = service.connect();
let producer: Producer;
let operator: Operator;

beforeAll(async () => {
  producer = await service.createProducer();
  operator = await service.createOperator();
  // Two workers sweep at once.
  await Promise.all([service.startWorker(), service.startWorker()]);
});

async function ended(job: (typeof jobs)[number], end: "complete" | "fail" | "doubt", key: string) {
  const { id } = await producer.submit(job, end, { idempotencyKey: key });
  await until("it has ended", async () => {
    const state = (await producer.status(id))?.state;
    return state === undefined || state === "completed" || state === "failed";
  });
  return id;
}

async function untilGone(id: string): Promise<void> {
  await until(`${id} is gone`, async () => (await producer.status(id)) === undefined);
}

describe("retention by type", () => {
  it("deletes ended jobs of the type alone, and remembers their keys and effects", async () => {
    const other = await ended(plain, "complete", "other");
    const failed = await ended(brief, "fail", "failed");
    const completed = await ended(brief, "complete", "completed");
    await Promise.all([untilGone(failed), untilGone(completed)]);

    expect(await producer.status(other)).toMatchObject({ state: "completed", result: "complete" });
    const again = await producer.submit(brief, "complete", { idempotencyKey: "completed" });
    expect(again).toMatchObject({ id: completed, duplicate: true });
    expect(runs.get("completed")).toBe(1);
    const start = queueKey(service.env.HOLDFAST_PREFIX, "default", "");
    expect(await redis.keys(`${start}${completed}*`)).toEqual([]);
    const ledgers = await redis.keys(`${start}ledger:*`);
    expect(ledgers).toHaveLength(3);
    await until("the ledgers will expire after the retention, and no sooner", async () => {
      const left = await Promise.all(ledgers.map((ledger) => redis.pttl(ledger)));
      return left.every((ms) => ms > 600_000_000);
    });
  });

  // Each waits for the sweep: they wait together.
  it.concurrent("keeps the latest of a state, as many as declared, and the other states", async () => {
    const completed = await ended(few, "complete", "few-completed");
    const ids: string[] = [];
    for (let at = 0; at < 5; at += 1) ids.push(await ended(few, "fail", `few-${at}`));
    await until("two are left", async () => {
      const { jobs: left } = await operator.list({ type: "few", state: "failed", limit: 10 });
      return left.length === 2;
    });
    const { jobs: left } = await operator.list({ type: "few", limit: 10 });
    expect(left.map(({ id }) => id)).toEqual([completed, ids[4], ids[3]]);
  });

  it.concurrent("keeps a job in doubt; once resolved, it ends and goes", async () => {
    const doubted = await ended(brief, "doubt", "doubted");
    await untilGone(await ended(brief, "fail", "after-doubted"));
    expect(await producer.status(doubted)).toMatchObject({ error: { code: "EFFECT_IN_DOUBT" } });
    await operator.resolve(doubted, "act", { as: "done", evidence: "seen", by: "tests" });
    await untilGone(doubted);
    expect(runs.get("doubted")).toBe(1);
  });

  it.concurrent("keeps a job that was retried and runs, and counts it by its latest end", async () => {
    const first = await ended(latest, "fail", "retried-0");
    const second = await ended(latest, "fail", "retried-1");
    const index = queueKey(service.env.HOLDFAST_PREFIX, "default", "kept:failed:latest");
    await until("both are in the index", async () => {
      const scores = await redis.zmscore(index, first, second);
      return scores.every((score) => score !== null);
    });
    const gate = latch();
    gates.set("retried-0", gate.opened);
    await operator.retry(first);
    const last = await ended(latest, "fail", "retried-2");
    await until("it has left the index", async () => (await redis.zscore(index, first)) === null);
    expect(await producer.status(first)).toMatchObject({ state: "active" });
    gate.open();
    await until("the latest two are left", async () => {
      const { jobs: left } = await operator.list({ type: "latest", state: "failed", limit: 10 });
      return left.length === 2 && left[0]?.id === first && left[1]?.id === last;
    });
  });
});

describe("a retention that is not valid", () => {
  it.each([
    [{ completed: {} }, "retention.completed: expected ageMs, count or both"],
    [{ failed: { ageMs: -1 } }, "retention.failed.ageMs"],
    [{ waiting: { count: 1 } } as JobRetention, "retention"],
  ])("is refused: %j", (retention, message) => {
    expect(() => jobKept("odd", retention)).toThrow(message);
  });
});
