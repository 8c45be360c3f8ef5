import { HoldfastError, NotDoneError, RetryAfterError } from "holdfast";
import { describe, expect, it } from "vitest";
import { anyJob } from "../../support/application.ts";
import { get } from "../../support/http.ts";
import { applicationOf, createService, untilState } from "../../support/service.ts";

const job = anyJob({ retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } } });
const retried = anyJob({ type: "retried" });
const YEAR_MS = 365 * 24 * 60 * 60_000;

const fail = () => {
  throw new Error("hostile");
};
const cycle: Record<string, unknown> = {};
cycle.self = cycle;
const odd: Readonly<Record<string, unknown>> = {
  bigint: 1n,
  cycle,
  function: () => {},
  undefined: undefined,
  "toJSON that throws": { toJSON: fail },
  NaN: Number.NaN,
  "a getter that throws": Object.defineProperty({}, "x", { get: fail, enumerable: true }),
  symbol: Symbol("s"),
  null: null,
};

async function run(handle: Parameters<typeof job.handler>[0]) {
  const service = createService(applicationOf(job.handler(handle)));
  const [producer] = await Promise.all([service.createProducer(), service.startWorker()]);
  const { id } = await producer.submit(job, 1, { idempotencyKey: "k" });
  return await untilState(producer, id, "completed", "failed");
}

describe("an odd value from a handler", () => {
  it.each(Object.entries(odd))(
    "as progress, is refused in words of ours where it is no JSON: %s",
    async (_, value) => {
      const status = await run(async ({ progress }) => {
        await progress(value as number);
      });

      expect(status).toMatchObject({ state: "failed", progress: null });
      expect(status.error).toMatchObject({
        code: "HANDLER_FAILED",
        message: expect.stringMatching(/^progress: expected/),
      });
    },
  );

  it.each(Object.entries(odd))("to the log, never fails its job: %s", async (_, value) => {
    const status = await run(async ({ log }) => {
      for (const level of ["debug", "info", "warn", "error"] as const) {
        log[level](value as string, value as Record<string, unknown>);
        log[level]("text", { value });
      }
    });

    expect(status).toMatchObject({ state: "completed", error: null });
  });

  it.each(["bigint", "cycle", "toJSON that throws", "a getter that throws"])(
    "as result, is invalid where JSON cannot hold it: %s",
    async (name) => {
      const status = await run(async () => odd[name]);

      expect(status).toMatchObject({ state: "failed", error: { code: "RESULT_INVALID" } });
    },
  );

  it.each([
    ["undefined", undefined],
    ["a proxy whose traps throw", new Proxy({}, { get: fail, getPrototypeOf: fail, has: fail })],
    ["an error whose message is a number", Object.assign(new Error("x"), { message: 42 })],
    ["an error whose stack is a number", Object.assign(new Error(""), { stack: 42 })],
    ["an object whose toString throws", { toString: fail }],
  ])("as an error, is an ordinary failure that says what was thrown: %s", async (_, thrown) => {
    const status = await run(async () => {
      throw thrown;
    });

    expect(status.error).toMatchObject({ code: "HANDLER_FAILED", message: expect.stringMatching(/thrown/) });
  });

  it.each([
    ["1e20", () => new RetryAfterError(1e20), YEAR_MS],
    ["infinite", () => new RetryAfterError(Number.POSITIVE_INFINITY), YEAR_MS],
    ["of an effect's word", () => new NotDoneError("x", { retryAfterMs: 1e300 }), YEAR_MS],
    ["of an error that is no word", () => new HoldfastError("STORE_UNFIT", "x", { retryAfterMs: 1e300 }), 0],
    ["a text", () => new RetryAfterError("an hour" as unknown as number), 0],
    ["NaN", () => new NotDoneError("x", { retryAfterMs: Number.NaN }), 0],
  ])(
    "as the wait for the next attempt, counts as 0 to a year, and hides no job: %s",
    async (_, make, waitMs) => {
      let runs = 0;
      const handler = retried.handler(async () => {
        runs += 1;
        if (runs === 1) throw make();
      });
      const service = createService(applicationOf(handler));
      const [api, producer] = await Promise.all([service.startApi(), service.createProducer()]);
      await service.startWorker();
      const { id } = await producer.submit(retried, 1, { idempotencyKey: "k" });

      const status = await untilState(producer, id, waitMs === 0 ? "completed" : "delayed");

      if (waitMs > 0) {
        const leftMs = Date.parse(status.nextAttemptAt ?? "") - Date.now();
        expect(leftMs).toBeGreaterThan(waitMs - 60_000);
        expect(leftMs).toBeLessThanOrEqual(waitMs);
      }
      expect(await get(`${api.url}/jobs`)).toMatchObject({ status: 200, body: { jobs: [{ id }] } });
    },
  );
});
