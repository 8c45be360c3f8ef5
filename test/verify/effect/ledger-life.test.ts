import { defineJob } from "holdfast";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { queueKey, queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { dedupKeyOf } from "../../../src/core/job/dedup-key.ts";
import { applicationOf, createService, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const RETENTION_MS = 1_000;
/** Where a test must act while the ledger expires. */
const LONGER_MS = 3_000;

function actingJob(attempts: number, delayMs: number) {
  return defineJob({
    type: "acting",
    payload: z.null(),
    result: z.unknown(),
    retry: { attempts, backoff: { kind: "fixed", delayMs } },
    timeoutMs: 10_000,
    effects: { act: { timeoutMs: 5_000, inDoubt: "hold" } },
  });
}

/** A service whose only job acts once and then does what `after` says. */
async function start(
  after: (attempt: number) => unknown,
  { attempts = 1, delayMs = 0, retentionMs = RETENTION_MS } = {},
) {
  const job = actingJob(attempts, delayMs);
  const acted: string[] = [];
  const handler = job.handler(async ({ effect, attempt, idempotencyKey }) => {
    await effect("act", async () => acted.push(idempotencyKey));
    return await after(attempt);
  });
  const retention = { HOLDFAST_RETENTION_MS: String(retentionMs), HOLDFAST_LOCK_MS: "1000" };
  const service = createService(applicationOf(handler), retention);
  const producer = await service.createProducer();
  const redis = service.connect();
  const { HOLDFAST_PREFIX: prefix } = service.env;
  const submit = async (key: string) => (await producer.submit(job, null, { idempotencyKey: key })).id;
  const ledger = (key: string) => queueKeys(prefix, "default").ledger(dedupKeyOf("acting", key));
  return { service, producer, redis, prefix, acted, submit, ledger };
}

// Each waits for times of its own prefix: they wait together.
describe.concurrent("the ledger of a job", () => {
  it("outlives any pause between two attempts, so the effect is not repeated however short the retention", async () => {
    const { service, producer, acted, submit } = await start(
      (attempt) => {
        if (attempt < 3) throw new Error("not yet");
      },
      { attempts: 3, delayMs: 2 * RETENTION_MS },
    );
    await service.startWorker();
    const id = await submit("k");

    expect(await untilState(producer, id, "completed", "failed")).toMatchObject({
      state: "completed",
      attemptsMade: 3,
      effects: [{ name: "act", state: "done" }],
    });
    expect(acted).toEqual(["k"]);
  });

  it("never expires while its job lives, and is kept for the retention after its end", async () => {
    const { service, producer, redis, submit, ledger } = await start(() => "done", {
      retentionMs: LONGER_MS,
    });
    await service.startWorker();
    const id = await submit("k");
    await untilState(producer, id, "completed");

    const ttl = await until("it may expire", async () => {
      const left = await redis.pttl(ledger("k"));
      return left > 0 && left;
    });

    expect(ttl).toBeLessThanOrEqual(LONGER_MS);
    await until("it has expired", async () => (await redis.exists(ledger("k"))) === 0);
    expect(await producer.status(id)).toBeUndefined();
  });

  /** As earlier versions left them: a failed job is not joined to its ledger, which expires. */
  async function expiring(retentionMs = LONGER_MS) {
    let isHealed = false;
    const parts = await start(
      () => {
        if (!isHealed) throw new Error("not yet");
      },
      { retentionMs: 3_600_000 },
    );
    const { service, producer, redis, prefix, submit, ledger } = parts;
    const worker = await service.startWorker();
    const id = await submit("k");
    await untilState(producer, id, "failed");
    const { joinedJobs } = queueKeys(prefix, "default");
    await until("the sweep has looked at it", async () => (await redis.zcard(joinedJobs)) === 1);
    await redis.multi().del(joinedJobs).hset(ledger("k"), "jobs", 0).pexpire(ledger("k"), retentionMs).exec();
    isHealed = true;
    return { ...parts, worker, id };
  }

  it("stops expiring as soon as its failed job is retried by hand", async () => {
    const { service, producer, redis, acted, id, worker, ledger } = await expiring(2 * LONGER_MS);
    const api = await service.startApi();
    await worker.stop();

    expect((await fetch(`${api.url}/jobs/${id}/retry`, { method: "POST" })).status).toBe(200);
    expect(await redis.pttl(ledger("k"))).toBe(-1);
    const retriedAt = performance.now();
    await until("the time has passed", () => performance.now() - retriedAt > 2.2 * LONGER_MS);
    await service.startWorker();

    expect(await untilState(producer, id, "completed")).toMatchObject({ effects: [{ state: "done" }] });
    expect(acted).toEqual(["k"]);
  });

  it("stops expiring after another tool's retry, once that job asks for its effect", async () => {
    const { service, producer, redis, acted, id, ledger } = await expiring(20_000);

    await (await service.openBareQueue().getJob(id))?.retry();

    await untilState(producer, id, "completed");
    expect(acted).toEqual(["k"]);
    await until("it may expire again", async () => (await redis.pttl(ledger("k"))) > 20_000);
  });

  it("leaves nothing behind: no ended or missing job is joined to it", async () => {
    const { service, producer, redis, prefix, submit } = await start(() => "done");
    await service.startWorker();
    const ids = await Promise.all(["a", "b", "c"].map(submit));
    for (const id of ids) await untilState(producer, id, "completed");

    const { joinedJobs, newLedgers } = queueKeys(prefix, "default");
    await until("none is joined", async () => (await redis.exists(joinedJobs, newLedgers)) === 0);
    await until(
      "all ledgers are gone",
      async () => (await redis.keys(`${prefix}:{default}:ledger:*`)).length === 0,
    );
  });

  it("expires although Redis's clock was set back since an older one began", async () => {
    const { service, producer, redis, prefix, submit } = await start(() => "done");
    const { newLedgers } = queueKeys(prefix, "default");
    await redis.rpush(newLedgers, `${Date.now() + 3_600_000}/default_older/older-key`);
    await service.startWorker();
    const id = await submit("a");
    await untilState(producer, id, "completed");

    await until("none has begun just now", async () => (await redis.exists(newLedgers)) === 0);
  });

  it("expires after a job that was cancelled between two attempts", async () => {
    const { service, producer, redis, submit, ledger } = await start(
      () => {
        throw new Error("not yet");
      },
      { attempts: 2, delayMs: 60_000 },
    );
    await service.startWorker();
    const api = await service.startApi();
    const id = await submit("k");
    await untilState(producer, id, "delayed");
    await fetch(`${api.url}/jobs/${id}/cancel`, { method: "POST" });

    await until("it is gone", async () => (await redis.exists(ledger("k"))) === 0);
    expect(await producer.status(id)).toBeUndefined();
  });
});

describe("a retry by hand", () => {
  it("that is refused does not change the job", async () => {
    const { service, redis, prefix, submit } = await start(() => "done");
    const api = await service.startApi();
    const id = await submit("k");
    const key = queueKey(prefix, "default", id);
    await redis.hset(key, "stc", "3", "atm", "2");
    const before = await redis.hgetall(key);

    const answer = await fetch(`${api.url}/jobs/${id}/retry`, { method: "POST" });

    expect(answer.status).toBe(409);
    expect(await redis.hgetall(key)).toEqual(before);
  });

  it("of a missing job leaves nothing behind", async () => {
    const { service, redis, prefix, submit } = await start(() => "done");
    const api = await service.startApi();
    const id = await submit("k");
    await redis.del(queueKey(prefix, "default", id));

    const answer = await fetch(`${api.url}/jobs/${id}/retry`, { method: "POST" });

    expect(answer.status).toBe(404);
    expect(await redis.exists(queueKey(prefix, "default", id))).toBe(0);
  });

  it("resets the job's attempts and crashes, and keeps its priority", async () => {
    const { service, producer, redis, prefix } = await start(() => "done");
    const api = await service.startApi();
    const job = actingJob(1, 0);
    const { id } = await producer.submit(job, null, { idempotencyKey: "k", priority: 7 });
    const key = queueKey(prefix, "default", id);
    await fetch(`${api.url}/jobs/${id}/cancel`, { method: "POST" });
    await redis.hset(key, "stc", "3", "atm", "1", "ats", "4");

    expect((await fetch(`${api.url}/jobs/${id}/retry`, { method: "POST" })).status).toBe(200);

    expect(await producer.status(id)).toMatchObject({ state: "prioritized", attemptsMade: 0, error: null });
    expect(await redis.hmget(key, "stc", "ats", "defa")).toEqual([null, "4", null]);
    await service.startWorker();
    await untilState(producer, id, "completed");
  });
});
