import { defineConfig, defineJob, type JobContract } from "holdfast";
import { z } from "zod";
import { passGate } from "./gate.ts";

const quick = { attempts: 3, backoff: { kind: "fixed", delayMs: 50 } } as const;

type Changes = Partial<
  Pick<JobContract, "type" | "queue" | "formerQueues" | "payload" | "result" | "retry" | "timeoutMs">
>;

/** A job that accepts and returns anything, for tests with their own handler, which may wait as long as a test does. */
export function anyJob(changes: Changes = {}) {
  return defineJob({
    type: "any",
    payload: z.unknown(),
    result: z.unknown(),
    retry: quick,
    timeoutMs: 60_000,
    ...changes,
  });
}

export const echo = anyJob({ type: "echo" });

/** Returns once the gate with the job's id is open, on the Redis at this URL. */
export const gated = defineJob({
  type: "gated",
  payload: z.url(),
  result: z.unknown(),
  retry: quick,
  timeoutMs: 60_000,
});

/** Kills its process on every run. */
export const deadly = anyJob({ type: "deadly", retry: { ...quick, attempts: 1, maxStarts: 2 } });

/** Blocks the event loop for the payload's milliseconds; null: forever. */
export const blocking = anyJob({
  type: "blocking",
  timeoutMs: 1_000,
  retry: { ...quick, attempts: 1, maxStarts: 2 },
});

/** Fails at once. */
export const failing = anyJob({ type: "failing", retry: { ...quick, attempts: 1 } });

/** Leaves an unhandled fault of the kind in `TEST_STRAYS`, with the payload as its text. */
export const stray = anyJob({ type: "stray" });

/** A payload that can be wrong in many ways. */
export const greeting = defineJob({
  type: "greeting",
  payload: z.strictObject({
    to: z.email(),
    name: z.string().min(1).max(20),
    lines: z.array(z.string()).optional(),
  }),
  result: z.strictObject({ sentTo: z.email() }),
  retry: quick,
  timeoutMs: 10_000,
});

const nobodyNotifies = new Int32Array(new SharedArrayBuffer(4));

/** The application of processes started by tests. */
export const application = defineConfig({
  jobs: [echo, gated, deadly, blocking, failing, stray, greeting],
  handlers: async () => [
    echo.handler(async ({ payload }) => payload),
    gated.handler(async ({ payload, jobId, signal }) => passGate(payload, jobId, signal)),
    deadly.handler(async ({ signal }) => {
      process.kill(process.pid, "SIGKILL");
      await new Promise((_, reject) => signal.addEventListener("abort", reject));
    }),
    blocking.handler(async ({ payload }) => {
      const until = performance.now() + (typeof payload === "number" ? payload : Number.POSITIVE_INFINITY);
      // Blocks as much as a loop that computes, and leaves the processor to the other tests.
      while (performance.now() < until) Atomics.wait(nobodyNotifies, 0, 0, 10);
      return "gave way";
    }),
    failing.handler(async () => {
      throw new Error("on request");
    }),
    stray.handler(async ({ payload }) => {
      const fault = new TypeError(String(payload));
      if (process.env.TEST_STRAYS === "rejection") void Promise.reject(fault);
      if (process.env.TEST_STRAYS === "exception")
        process.nextTick(() => {
          throw fault;
        });
      return "done";
    }),
    greeting.handler(async ({ payload }) => ({ sentTo: payload.to })),
  ],
});
