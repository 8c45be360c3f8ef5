import { defineJob } from "holdfast";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { connectQueues } from "../../../src/core/bullmq/store/connect-queues.ts";
import { retryJob } from "../../../src/desk/jobs/retry-job.ts";
import { readSettings } from "../../../src/platform/config/settings.ts";
import { get, post } from "../../support/http.ts";
import { applicationOf, createService, untilState } from "../../support/service.ts";

const failing = defineJob({
  type: "failing",
  payload: z.null(),
  result: z.null(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 60_000,
});

async function start() {
  const handler = failing.handler(async () => {
    throw new Error("declined");
  });
  const service = createService(applicationOf(handler));
  const producer = await service.createProducer();
  const { url } = await service.startApi();
  return { service, producer, url };
}

const GONE_BY = "2026-01-01T00:00:00.000Z";

describe("an act that says what it was decided on", () => {
  it("retries a job that failed as it was seen, and not one that has run since", async () => {
    const { service, producer, url } = await start();
    await service.startWorker();
    const { id } = await producer.submit(failing, null, { idempotencyKey: "a" });
    const seen = await untilState(producer, id, "failed");
    const expect_ = { state: "failed", finishedAt: seen.finishedAt };

    expect(await post(`${url}/jobs/${id}/retry`, { expect: expect_ })).toMatchObject({ status: 200 });
    const again = await untilState(producer, id, "failed");
    expect(again.finishedAt).not.toBe(seen.finishedAt);
    expect(await post(`${url}/jobs/${id}/retry`, { expect: expect_ })).toMatchObject({
      status: 409,
      body: {
        code: "CHANGED_MEANWHILE",
        detail: "The job has run again since you looked, and is failed again. Nothing was done",
      },
    });
    expect((await producer.status(id))?.finishedAt).toBe(again.finishedAt);
  });

  it("retries none that has failed again since an act on many was decided", async () => {
    const { service, producer } = await start();
    await service.startWorker();
    const { id } = await producer.submit(failing, null, { idempotencyKey: "a" });
    const { finishedAt } = await untilState(producer, id, "failed");
    const failedAt = Date.parse(String(finishedAt));
    const application = applicationOf(failing.handler(async () => null));
    const queues = await connectQueues(application, readSettings(service.env), [], "fail-fast");
    onTestFinished(() => queues.stop());
    const retry = (before: number) => retryJob(queues.stores.of("default"), id, { before });

    expect(await retry(failedAt)).toBe("not-failed");
    expect(await retry(failedAt + 1)).toBe("retried");
  });

  it("cancels a job in the state in which it was seen, and in no other", async () => {
    const { producer, url } = await start();
    const { id } = await producer.submit(failing, null, { idempotencyKey: "a" });
    const cancel = (state: string) => post(`${url}/jobs/${id}/cancel`, { expect: { state } });

    expect(await cancel("active")).toMatchObject({
      status: 409,
      body: { detail: "The job was active when you looked, and is waiting now. Nothing was done" },
    });
    expect((await producer.status(id))?.state).toBe("waiting");
    expect(await cancel("waiting")).toMatchObject({ status: 200, body: { outcome: "cancelled" } });
  });

  it("pauses a queue that was seen running, once, and resumes the pause that was seen, and no other", async () => {
    const { url } = await start();
    const pause = (reason: string, pausedSince: string | null) =>
      post(`${url}/queues/default/pause`, { reason, expect: { pausedSince } });
    const resume = (pausedSince: string | null) =>
      post(`${url}/queues/default/resume`, { expect: { pausedSince } });
    const isPaused = async () => {
      const { queues } = (await get(`${url}/queues`)).body as unknown as { queues: { paused: unknown }[] };
      return queues[0]?.paused !== null;
    };

    const { body } = await pause("first", null);
    const { since } = body.paused as { since: string };
    expect(await pause("second", null)).toMatchObject({
      status: 409,
      body: {
        code: "CHANGED_MEANWHILE",
        detail: "Queue default was paused by API meanwhile: first. Nothing was done",
      },
    });
    expect((await resume(GONE_BY)).status).toBe(409);
    expect(await isPaused()).toBe(true);
    const both = await Promise.all([resume(since), resume(since)]);

    expect(both.map(({ status }) => status).sort()).toEqual([200, 409]);
    expect(await isPaused()).toBe(false);
    expect(await resume(since)).toMatchObject({
      status: 409,
      body: { detail: "Queue default is not paused any more. Nothing was done" },
    });
  });
});
