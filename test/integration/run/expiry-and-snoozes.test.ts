import { defineConfig, defineJob, SnoozeError } from "holdfast";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { call, post } from "../../support/http.ts";
import { latch } from "../../support/latch.ts";
import { createService, untilState, type Variables } from "../../support/service.ts";
import { until } from "../../support/until.ts";

/** An application whose one job does what its payload says, and what it did. */
function errands(startWithinMs?: number, variables: Variables = {}) {
  const calls: number[] = [];
  const effects: string[] = [];
  const gate = latch();
  const errand = defineJob({
    type: "errand",
    payload: z.strictObject({
      snoozes: z.int().default(0),
      failures: z.int().default(0),
      waits: z.boolean().default(false),
    }),
    result: z.unknown(),
    retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 10 } },
    timeoutMs: 10_000,
    effects: { act: { timeoutMs: 1_000, inDoubt: "hold" } },
    ...(startWithinMs !== undefined && { startWithinMs }),
  });
  const handler = errand.handler(async ({ payload, effect }) => {
    calls.push(performance.now());
    if (payload.waits) await gate.opened;
    if (calls.length <= payload.snoozes) {
      await effect("act", async ({ key }) => void effects.push(key));
      throw new SnoozeError(5);
    }
    if (calls.length <= payload.failures) throw new Error("not yet");
    return {};
  });
  const application = defineConfig({ jobs: [errand], handlers: async () => [handler] });
  return { service: createService(application, variables), errand, calls, effects, gate };
}

describe("a job with a time to be begun by", () => {
  it.each([
    ["startBy", () => ({ startBy: new Date(Date.now() + 300) })],
    ["startWithinMs", () => ({ startWithinMs: 300 })],
    ["what its contract declares", () => ({})],
  ])("expires if no worker has begun it by then: %s", async (_, options) => {
    const { service, errand, calls } = errands(300);
    const producer = await service.createProducer();
    const { id } = await producer.submit(errand, {}, { idempotencyKey: "k", ...options() });
    await until(
      "it is too late",
      async () =>
        Date.now() >
        ((await producer.status(id))?.submittedAt
          ? Date.parse((await producer.status(id))?.submittedAt ?? "") + 400
          : Infinity),
    );
    await service.startWorker();

    const status = await untilState(producer, id, "failed");
    expect(status.error).toMatchObject({
      code: "EXPIRED",
      retryable: false,
      message: /^No worker had begun the job by \d{4}-/,
    });
    expect(calls).toHaveLength(0);
  });

  it("runs if a worker begins it in time, however long it takes then", async () => {
    const { service, errand, calls } = errands();
    const producer = await service.createProducer();
    await service.startWorker();
    const { id } = await producer.submit(
      errand,
      { failures: 2 },
      { idempotencyKey: "k", startWithinMs: 60_000 },
    );

    await untilState(producer, id, "completed");
    expect(calls).toHaveLength(3);
  });

  it("counts from when the job may run", async () => {
    const { service, errand } = errands();
    const producer = await service.createProducer();
    await service.startWorker();
    const { id } = await producer.submit(
      errand,
      {},
      { idempotencyKey: "k", delayMs: 500, startWithinMs: 400 },
    );

    await untilState(producer, id, "completed");
  });

  it("never expires once it has begun: it fails, waits for its next attempt beyond that time, and completes", async () => {
    const { service, errand, calls, gate } = errands();
    const producer = await service.createProducer();
    await service.startWorker();
    const startBy = new Date(Date.now() + 400);
    const { id } = await producer.submit(
      errand,
      { failures: 1, waits: true },
      { idempotencyKey: "k", startBy },
    );
    await untilState(producer, id, "active");
    await until("the time is over", () => Date.now() > startBy.getTime() + 50);
    gate.open();

    await untilState(producer, id, "completed");
    expect(calls).toHaveLength(2);
  });

  it("runs when it is retried by hand after it has expired", async () => {
    const { service, errand, calls } = errands();
    const { url } = await service.startApi();
    const producer = await service.createProducer();
    const { id } = await producer.submit(
      errand,
      {},
      { idempotencyKey: "k", startBy: new Date(Date.now() - 1_000) },
    );
    await service.startWorker();
    await untilState(producer, id, "failed");

    await post(`${url}/jobs/${id}/retry`, {});
    await untilState(producer, id, "completed");
    expect(calls).toHaveLength(1);
  });

  it("is part of what a key means, and checked", async () => {
    const { service } = errands();
    const { url } = await service.startApi();
    const send = (options: object, key = "k") =>
      call(`${url}/jobs`, "POST", { type: "errand", payload: {}, idempotencyKey: key, options });

    expect(await send({ startWithinMs: 1_000 })).toMatchObject({ status: 202 });
    expect(await send({ startWithinMs: 1_000 })).toMatchObject({ status: 200 });
    expect(await send({ startWithinMs: 2_000 })).toMatchObject({ status: 422 });
    expect(await send({ startBy: "2026-12-01T09:00:00Z", startWithinMs: 1 }, "other")).toMatchObject({
      status: 400,
    });
    expect(await send({ startWithinMs: 0 }, "other")).toMatchObject({ status: 400 });
    expect(await send({ startBy: "soon" }, "other")).toMatchObject({ status: 400 });
  });
});

describe("a snoozed job", () => {
  it("is called again later without using up an attempt, and does its effects once", async () => {
    const { service, errand, calls, effects } = errands();
    const producer = await service.createProducer();
    await service.startWorker();
    const { id } = await producer.submit(errand, { snoozes: 20 }, { idempotencyKey: "k" });

    expect(await untilState(producer, id, "completed")).toMatchObject({ attemptsMade: 1 });
    expect(calls).toHaveLength(21);
    expect(effects).toHaveLength(1);
  });

  it("fails when it was snoozed 100 times, and may be snoozed again after a retry by hand", async () => {
    const { service, errand, calls } = errands();
    const { url } = await service.startApi();
    const producer = await service.createProducer();
    await service.startWorker();
    const { id } = await producer.submit(errand, { snoozes: 150 }, { idempotencyKey: "k" });

    expect((await untilState(producer, id, "failed")).error).toMatchObject({
      code: "SNOOZES_EXHAUSTED",
      message: expect.stringContaining("snoozed 100 times"),
    });
    expect(calls).toHaveLength(101);
    await post(`${url}/jobs/${id}/retry`, {});
    await untilState(producer, id, "completed");
    expect(calls).toHaveLength(151);
  });

  it("is not snoozed beyond 30 days after its submission", async () => {
    const farther = defineJob({
      type: "farther",
      payload: z.strictObject({}),
      result: z.unknown(),
      retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 10 } },
      timeoutMs: 1_000,
    });
    const handler = farther.handler(async () => {
      throw new SnoozeError(31 * 24 * 60 * 60_000);
    });
    const service = createService(defineConfig({ jobs: [farther], handlers: async () => [handler] }));
    const producer = await service.createProducer();
    await service.startWorker();
    const { id } = await producer.submit(farther, {}, { idempotencyKey: "k" });

    expect((await untilState(producer, id, "failed")).error).toMatchObject({ code: "SNOOZES_EXHAUSTED" });
  });
});
