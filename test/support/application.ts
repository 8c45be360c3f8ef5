import { defineConfig, defineJob, type JobContract } from "holdfast";
import { z } from "zod";
import { passGate } from "./gate.ts";

const quick = { attempts: 3, backoff: { kind: "fixed", delayMs: 50 } } as const;

type Changes = Partial<
  Pick<JobContract, "type" | "queue" | "formerQueues" | "payload" | "result" | "retry" | "timeoutMs">
>;

/** A job that takes anything and returns anything, for a test that gives it a handler of its own. */
export function anyJob(changes: Changes = {}) {
  return defineJob({
    type: "any",
    payload: z.unknown(),
    result: z.unknown(),
    retry: quick,
    timeoutMs: 10_000,
    ...changes,
  });
}

/** Returns its payload. */
export const echo = anyJob({ type: "echo" });

/** Returns once the gate with the job's id is open, on the store at this URL. */
export const gated = defineJob({
  type: "gated",
  payload: z.url(),
  result: z.unknown(),
  retry: quick,
  timeoutMs: 60_000,
});

/** Ends the process it runs in, whenever it runs. */
export const deadly = anyJob({ type: "deadly", retry: { ...quick, attempts: 1, maxStarts: 2 } });

/** Blocks the event loop for as many milliseconds as its payload says; null: for ever. */
export const blocking = anyJob({
  type: "blocking",
  timeoutMs: 1_000,
  retry: { ...quick, attempts: 1, maxStarts: 2 },
});

/** Fails at once. */
export const failing = anyJob({ type: "failing", retry: { ...quick, attempts: 1 } });

/** Leaves behind a fault that reaches nobody, where `TEST_STRAYS` says of which kind; the text in it is the payload. */
export const stray = anyJob({ type: "stray" });

/** Has a payload that much can be wrong with. */
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

/** What the processes that a test starts run; tests inside one process often bring their own handlers. */
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
      while (performance.now() < until);
      return "gave way";
    }),
    failing.handler(async () => {
      throw new Error("as it was told");
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
