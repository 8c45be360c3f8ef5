import { type AttemptFunction, PermanentError, RetryAfterError, type RetryPolicy } from "holdfast";
import { describe, expect, it } from "vitest";
import { anyJob } from "../../support/application.ts";
import { applicationOf, createService, untilState } from "../../support/service.ts";

/** Runs one job to its end; resolves to its status, and the milliseconds of each pause between attempts. */
async function runToEnd(retry: RetryPolicy, handle: AttemptFunction<unknown, unknown>) {
  const times: { began: number; ended: number }[] = [];
  const job = anyJob({ retry });
  const handler = job.handler(async (attempt) => {
    const began = performance.now();
    try {
      return await handle(attempt);
    } finally {
      times.push({ began, ended: performance.now() });
    }
  });
  const service = createService(applicationOf(handler));
  await service.startWorker();
  const producer = await service.createProducer();
  const { id } = await producer.submit(job, 1, { idempotencyKey: "k" });
  const status = await untilState(producer, id, "completed", "failed");
  const pausesMs = times.slice(1).map(({ began }, index) => began - (times[index]?.ended ?? 0));
  return { status, runs: times.length, pausesMs, stored: await service.openBareQueue().getJob(id) };
}

const fixed = (attempts: number, delayMs: number): RetryPolicy => ({
  attempts,
  backoff: { kind: "fixed", delayMs },
});

/** BullMQ counts whole milliseconds of another clock; a busy machine starts an attempt late. */
function expectPauses(pausesMs: readonly number[], expectedMs: readonly number[]) {
  expect(pausesMs).toHaveLength(expectedMs.length);
  for (const [index, expected] of expectedMs.entries()) {
    expect(pausesMs[index]).toBeGreaterThan(expected - 3);
    expect(pausesMs[index]).toBeLessThan(expected + 2_000);
  }
}

describe("a handler that fails twice, then succeeds", () => {
  const failTwice: AttemptFunction<unknown, unknown> = async ({ attempt }) => {
    if (attempt < 3) throw new Error(`attempt ${attempt} failed`);
    return "done";
  };

  it("completes at its third attempt, each after the fixed delay", async () => {
    const { status, runs, pausesMs } = await runToEnd(fixed(3, 250), failTwice);

    expect(status).toMatchObject({
      state: "completed",
      attemptsMade: 3,
      maxAttempts: 3,
      tags: [],
      result: "done",
      error: null,
    });
    expect(runs).toBe(3);
    expectPauses(pausesMs, [250, 250]);
  });

  it("completes after doubling delays with exponential backoff", async () => {
    const { status, pausesMs } = await runToEnd(
      { attempts: 5, backoff: { kind: "exponential", delayMs: 150 } },
      failTwice,
    );

    expect(status).toMatchObject({ state: "completed", attemptsMade: 3 });
    expectPauses(pausesMs, [150, 300]);
  });

  it("is retried at once without a delay", async () => {
    const { status } = await runToEnd(fixed(3, 0), failTwice);

    expect(status).toMatchObject({ state: "completed", attemptsMade: 3 });
  });

  it("passes the jitter to BullMQ, which spreads the delays", async () => {
    const { stored } = await runToEnd(
      { attempts: 3, backoff: { kind: "exponential", delayMs: 10, jitter: 0.5 } },
      failTwice,
    );

    expect(stored?.opts).toMatchObject({
      attempts: 3,
      backoff: { type: "exponential", delay: 10, jitter: 0.5 },
    });
  });
});

describe("a handler that always fails", () => {
  it("ends as failed after its last attempt, with that attempt's reason", async () => {
    const { status, runs, stored } = await runToEnd(fixed(3, 10), async ({ attempt }) => {
      throw new TypeError(`attempt ${attempt} failed`);
    });

    expect(runs).toBe(3);
    expect(status).toMatchObject({
      state: "failed",
      attemptsMade: 3,
      finishedAt: expect.any(String),
      nextAttemptAt: null,
      result: null,
      error: { code: "HANDLER_FAILED", message: "attempt 3 failed", retryable: true },
    });
    expect(stored?.stacktrace).toHaveLength(3);
    for (const stack of stored?.stacktrace ?? []) {
      expect(stack).toContain("retries.test.ts");
      expect(stack.split("\n").length).toBeLessThanOrEqual(8);
    }
  });

  it("fails even if it throws something that is not an error", async () => {
    const { status } = await runToEnd(fixed(1, 0), () => Promise.reject("just a text"));

    expect(status).toMatchObject({
      state: "failed",
      error: { code: "HANDLER_FAILED", message: "just a text" },
    });
  });
});

describe("PermanentError", () => {
  it("ends the job at once", async () => {
    const { status, runs } = await runToEnd(fixed(5, 0), () =>
      Promise.reject(new PermanentError("no such customer")),
    );

    expect(runs).toBe(1);
    expect(status).toMatchObject({
      state: "failed",
      attemptsMade: 1,
      error: { code: "PERMANENT_FAILURE", message: "no such customer", retryable: false },
    });
  });
});

describe("RetryAfterError", () => {
  it("sets the next delay and no other", async () => {
    const { status, pausesMs } = await runToEnd(fixed(3, 20), async ({ attempt }) => {
      if (attempt === 1) throw new RetryAfterError(1_500);
      if (attempt === 2) throw new Error("not asking for any time");
    });

    expect(status).toMatchObject({ state: "completed", attemptsMade: 3 });
    expect(pausesMs[0]).toBeGreaterThan(1_497);
    expect(pausesMs[1]).toBeLessThan(1_497);
  });

  it("can shorten a long delay to none", async () => {
    const { status } = await runToEnd(fixed(2, 60_000), async ({ attempt }) => {
      if (attempt === 1) throw new RetryAfterError(0);
    });

    expect(status).toMatchObject({ state: "completed", attemptsMade: 2 });
  });

  it("uses up an attempt like any failure", async () => {
    const { status, runs } = await runToEnd(fixed(2, 0), () =>
      Promise.reject(new RetryAfterError(10, "busy")),
    );

    expect(runs).toBe(2);
    expect(status).toMatchObject({ state: "failed", error: { code: "HANDLER_FAILED", message: "busy" } });
  });
});
