import { createOperator } from "holdfast";
import { startWorker } from "holdfast/worker";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { queueKey, queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { anyJob } from "../../support/application.ts";
import { type ReplyProxy, startReplyProxy } from "../../support/reply-proxy.ts";
import { applicationOf, createService, untilState, type Variables } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const job = anyJob({ timeoutMs: 120_000 });
const cancelled = { state: "failed", attemptsMade: 1, error: { code: "CANCELLED" } };

/** A worker whose Redis can be slow, and whose job runs until it is aborted. */
async function withWorker(variables: Variables) {
  const ends: unknown[] = [];
  const endless = job.handler(async ({ signal }) => {
    await new Promise<never>((_, reject) => {
      const end = () => reject(signal.reason);
      if (signal.aborted) end();
      signal.addEventListener("abort", end);
    }).catch((reason) => {
      ends.push(reason.code);
      throw reason;
    });
  });
  const application = applicationOf(endless);
  const service = createService(application, { HOLDFAST_STOP_GRACE_MS: "100", ...variables });
  const proxy = await startReplyProxy(inject("redisUrl"));
  const worker = await startWorker(application, { ...service.env, REDIS_URL: proxy.url });
  onTestFinished(() => worker.stop());
  const channel = queueKeys(service.env.HOLDFAST_PREFIX, "default").cancelChannel;
  const store = service.connect();
  await until("the worker listens", async () => {
    const [, listeners] = (await store.call("PUBSUB", "SHARDNUMSUB", channel)) as [string, number];
    return listeners === 1;
  });
  const [producer, operator] = await Promise.all([
    service.createProducer(),
    createOperator(application, service.env),
  ]);
  onTestFinished(() => operator.stop());
  return { service, producer, operator, proxy, ends };
}

const dedupKeys = (sent: string) => !/subscribe|bzpopmin/i.test(sent);
const messages = (sent: string) => /subscribe/i.test(sent);

async function passedOn(proxy: ReplyProxy, id: string): Promise<void> {
  await until("the message has arrived", () => proxy.hasPassed(id));
}

describe("a cancellation", () => {
  it("that arrives before the reply to the claim ends the attempt", async () => {
    const { producer, operator, proxy, ends } = await withWorker({ HOLDFAST_LOCK_MS: "120000" });
    proxy.holdBack(dedupKeys);
    const { id } = await producer.submit(job, 1, { idempotencyKey: "k" });
    await untilState(producer, id, "active");

    expect(await operator.cancel(id)).toBe("cancelling");
    await passedOn(proxy, id);
    proxy.pass();

    expect(await untilState(producer, id, "failed", "completed")).toMatchObject(cancelled);
    expect(ends).toEqual(["CANCELLED"]);
  });

  it("whose message never arrives ends the attempt when its lock is renewed", async () => {
    const { producer, operator, proxy, ends } = await withWorker({ HOLDFAST_LOCK_MS: "1000" });
    const { id } = await producer.submit(job, 1, { idempotencyKey: "k" });
    await untilState(producer, id, "active");
    proxy.holdBack(messages);

    expect(await operator.cancel(id)).toBe("cancelling");

    expect(await untilState(producer, id, "failed", "completed")).toMatchObject(cancelled);
    expect(ends).toEqual(["CANCELLED"]);
  });

  it("ends the attempt in which the job was cancelled, not the one of a retry right after it", async () => {
    const { producer, operator, ends } = await withWorker({ HOLDFAST_LOCK_MS: "120000" });
    const { id } = await producer.submit(job, 1, { idempotencyKey: "k" });
    await untilState(producer, id, "active");
    await operator.cancel(id);
    await untilState(producer, id, "failed");

    await operator.retry(id);
    await untilState(producer, id, "active");
    const other = await producer.submit(job, 2, { idempotencyKey: "other" });
    await untilState(producer, other.id, "active");
    await operator.cancel(other.id);
    await untilState(producer, other.id, "failed");

    expect(await producer.status(id)).toMatchObject({ state: "active" });
    expect(ends).toEqual(["CANCELLED", "CANCELLED"]);
    await operator.cancel(id);
    await untilState(producer, id, "failed");
  });

  it("at the moment of the claim is never lost, for hundreds of jobs", async () => {
    const { service, producer, operator, ends } = await withWorker({
      HOLDFAST_LOCK_MS: "120000",
      HOLDFAST_CONCURRENCY: "20",
    });
    const count = 300;
    const outcomes: string[] = [];
    const watcher = service.connect();
    const events = queueKey(service.env.HOLDFAST_PREFIX, "default", "events");
    const cancelling = (async () => {
      for (let after = "0"; outcomes.length < count; ) {
        const reply = await watcher.xread("BLOCK", 1_000, "STREAMS", events, after);
        for (const [at, fields] of reply?.[0]?.[1] ?? []) {
          after = at;
          const { event, jobId = "" } = Object.fromEntries(pairsOf(fields));
          if (event === "active") outcomes.push(await operator.cancel(jobId));
        }
      }
    })();

    const receipts = await producer.submitMany(
      job,
      Array.from({ length: count }, (_, index) => ({ payload: index, idempotencyKey: `${index}` })),
    );
    await cancelling;

    for (const receipt of receipts) {
      if (!("id" in receipt)) throw receipt;
      expect(await untilState(producer, receipt.id, "failed", "completed")).toMatchObject(cancelled);
    }
    expect(outcomes).toEqual(Array.from({ length: count }, () => "cancelling"));
    expect(ends.every((end) => end === "CANCELLED")).toBe(true);
  });
});

function pairsOf(fields: readonly string[]): [string, string][] {
  return Array.from({ length: fields.length / 2 }, (_, at) => [
    fields[2 * at] ?? "",
    fields[2 * at + 1] ?? "",
  ]);
}
