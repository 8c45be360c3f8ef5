import { createServer } from "node:http";
import {
  defineJob,
  type ErrorCode,
  HoldfastError,
  InDoubtError,
  type JobStatus,
  NotDoneError,
  PermanentError,
  RetryAfterError,
  SnoozeError,
} from "holdfast";
import { createClient } from "holdfast/client";
import { runHandler } from "holdfast/testing";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { z } from "zod";
import type { ProducibleJob } from "../../../src/core/job/submit-options.ts";
import { errorCodes } from "../../../src/platform/errors/error-codes.ts";
import { anyJob } from "../../support/application.ts";
import { latch } from "../../support/latch.ts";
import { applicationOf, createService, untilState } from "../../support/service.ts";

const codes = Object.keys(errorCodes) as ErrorCode[];

vi.resetModules();
const copy = await import("holdfast");

/** An API that answers each status read with the problem whose code is the job's id. */
async function startRefusingApi(): Promise<string> {
  const server = createServer((request, response) => {
    const code = decodeURIComponent(request.url?.split("/").at(-1) ?? "") as ErrorCode;
    const problem = new HoldfastError(code, `the API's ${code}`, { retryAfterMs: 0 }).toProblem();
    response.writeHead(problem.status, { "content-type": "application/problem+json", "retry-after": "60" });
    response.end(JSON.stringify(problem));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
}

type Origin = "a handler" | "a client" | "another copy of the package";

const inTwo = { retry: { attempts: 2, backoff: { kind: "fixed", delayMs: 0 } } } as const;

function actingJob<Type extends string>(type: Type) {
  return defineJob({
    ...inTwo,
    type,
    payload: z.unknown(),
    result: z.unknown(),
    timeoutMs: 10_000,
    effects: { act: { timeoutMs: 5_000, inDoubt: "hold" } },
  });
}

/** A function that throws an error with a code, as it comes from there. */
async function throwerOf(origin: Origin): Promise<(code: ErrorCode) => Promise<never>> {
  const late = { retryAfterMs: 1 };
  if (origin === "a handler")
    return (code) => Promise.reject(new HoldfastError(code, `the handler's ${code}`, late));
  if (origin === "another copy of the package")
    return (code) => Promise.reject(new copy.HoldfastError(code, `the copy's ${code}`, late));
  const client = createClient({ url: await startRefusingApi(), timeoutMs: 20_000 });
  return async (code) => {
    const { id } = await client.detail(code);
    throw new HoldfastError(code, `the client found ${id}`, late);
  };
}

describe.each<Origin>(["a handler", "a client", "another copy of the package"])(
  "an error with a code of Holdfast's, from %s",
  (origin) => {
    it("is an ordinary failure of its job, whatever the code, and harms no neighbour", async () => {
      const throwCode = await throwerOf(origin);
      const starts = new Map<string, number>();
      const thrower = anyJob({ type: "thrower", ...inTwo }).handler(async ({ payload }) => {
        const code = String(payload);
        starts.set(code, (starts.get(code) ?? 0) + 1);
        return await throwCode(code as ErrorCode);
      });
      const neighbour = anyJob({ type: "neighbour" }).handler(async () => "done");
      const service = createService(applicationOf(thrower, neighbour));
      await service.startWorker();
      const producer = await service.createProducer();
      const submitted = await Promise.all(
        codes.map((code) => producer.submit(thrower.job, code, { idempotencyKey: code })),
      );
      const { id } = await producer.submit(neighbour.job, 1, { idempotencyKey: "neighbour" });

      expect(await untilState(producer, id, "completed", "failed")).toMatchObject({ state: "completed" });
      const ends = await Promise.all(submitted.map((job) => untilState(producer, job.id, "failed")));
      for (const [index, end] of ends.entries()) {
        const code = codes[index] ?? "INTERNAL";
        expect(end).toMatchObject({ attemptsMade: 2, error: { code: "HANDLER_FAILED" }, effects: {} });
        expect(end.error?.message).toMatch(code === "HANDLER_FAILED" ? "HANDLER_FAILED" : `${code}: `);
        expect(starts.get(code)).toBe(2);
      }
      const operator = await service.createOperator();
      expect(await operator.doubts(0, 10)).toEqual([]);
      expect((await operator.list({ state: "failed", limit: 200 })).jobs).toHaveLength(codes.length);
    });

    it("leaves a doubt that is listed, or an ordinary failure, if an effect throws it", async () => {
      const throwCode = await throwerOf(origin);
      const doubted = actingJob("doubted").handler(
        async ({ payload, effect }) => await effect("act", () => throwCode(payload as ErrorCode)),
      );
      const proved = actingJob("proved").handler(
        async ({ payload, effect }) =>
          await effect(
            "act",
            async () => {
              // A classifier counts only where something was seen.
              await fetch("http://127.0.0.1:2/", { method: "POST" }).catch(() => {});
              await throwCode(payload as ErrorCode);
            },
            { classify: () => "not-done" },
          ),
      );
      const service = createService(applicationOf(doubted, proved));
      await service.startWorker();
      const producer = await service.createProducer();
      const endsOf = async (job: ProducibleJob<unknown>): Promise<JobStatus[]> => {
        const submitted = await Promise.all(
          codes.map((code) => producer.submit(job, code, { idempotencyKey: code })),
        );
        return await Promise.all(submitted.map(({ id }) => untilState(producer, id, "failed")));
      };

      const ends = await endsOf(doubted.job);
      for (const end of await endsOf(proved.job))
        expect(end).toMatchObject({ attemptsMade: 2, error: { code: "HANDLER_FAILED" } });

      const operator = await service.createOperator();
      const listed = (await operator.doubts(0, 200)).map(({ jobId }) => jobId);
      expect(
        ends
          .filter(({ error }) => error?.code === "EFFECT_IN_DOUBT")
          .map(({ id }) => id)
          .sort(),
      ).toEqual(listed.sort());
      for (const { error } of ends) expect(error?.code).toMatch(/^(EFFECT_IN_DOUBT|HANDLER_FAILED)$/);
    });
  },
);

describe("an internal fault of one job's attempt that the handlers of others share", () => {
  it("ends only its own job: a cancelled job cancels no other", async () => {
    const shared = latch();
    let wait: Promise<unknown> | undefined;
    const first = anyJob({ type: "first" }).handler(({ signal }) => {
      wait ??= new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      wait.catch(() => {});
      shared.open();
      return wait;
    });
    const sharing = anyJob({ type: "sharing", retry: { ...inTwo.retry, attempts: 1 } }).handler(async () => {
      await shared.opened;
      return await wait;
    });
    const service = createService(applicationOf(first, sharing));
    await service.startWorker();
    const producer = await service.createProducer();
    const cancelled = await producer.submit(first.job, 1, { idempotencyKey: "first" });
    await shared.opened;
    const others = await Promise.all(
      [1, 2, 3, 4, 5].map((key) => producer.submit(sharing.job, key, { idempotencyKey: String(key) })),
    );
    await Promise.all(others.map(({ id }) => untilState(producer, id, "active")));
    const operator = await service.createOperator();
    await operator.cancel(cancelled.id);

    expect(await untilState(producer, cancelled.id, "failed")).toMatchObject({
      error: { code: "CANCELLED" },
    });
    for (const { id } of others)
      expect(await untilState(producer, id, "failed")).toMatchObject({
        error: { code: "HANDLER_FAILED", message: "CANCELLED: Cancelled by an operator" },
      });
  });
});

describe("a word of a handler", () => {
  const job = anyJob({ ...inTwo });
  const run = (thrown: unknown) =>
    runHandler(
      job.handler(() => Promise.reject(thrown)),
      null,
    );

  it.each([
    [new PermanentError("no"), { state: "failed", error: { code: "PERMANENT_FAILURE" } }],
    [new InDoubtError("no"), { state: "failed", error: { code: "PERMANENT_FAILURE" } }],
    [new RetryAfterError(5), { state: "delayed", error: { code: "HANDLER_FAILED", retryAfterMs: 5 } }],
    [new SnoozeError(5), { state: "deferred", delayMs: 5, code: "SNOOZED" }],
    [new NotDoneError("no", { retryAfterMs: 5 }), { state: "delayed", error: { retryAfterMs: 5 } }],
    [new NotDoneError("no", { permanent: true }), { state: "failed", error: { code: "PERMANENT_FAILURE" } }],
  ])("counts by its class: %s", async (thrown, end) => {
    expect(await run(thrown)).toMatchObject(end);
    // Whatever the application makes of its code.
    expect(await run(Object.assign(thrown, { code: "WORKER_STOPPING" }))).toMatchObject(
      thrown instanceof NotDoneError ? { error: { code: "HANDLER_FAILED" } } : end,
    );
  });

  it.each([
    new copy.PermanentError("no"),
    new copy.SnoozeError(5),
    new copy.RetryAfterError(5),
    new copy.NotDoneError("no", { permanent: true }),
    new copy.InDoubtError("no"),
  ])("is none if its class is another copy's: %s", async (thrown) => {
    const end = await run(thrown);
    expect(end).toMatchObject({ state: "delayed", error: { code: "HANDLER_FAILED" } });
    expect(end.error?.retryAfterMs).toBeUndefined();
  });
});
