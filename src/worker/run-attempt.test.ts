import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { openEffects } from "../effect/effects.ts";
import { defineJob } from "../job/define-job.ts";
import type { ClaimedJob } from "../queue/claimed-job.ts";
import { Lease } from "../queue/lease.ts";
import { createEvents } from "../telemetry/events.ts";
import { logAttempts } from "../telemetry/log-events.ts";
import { runAttempt } from "./run-attempt.ts";

const job = defineJob({
  type: "secretive",
  payload: z.strictObject({ token: z.string() }),
  result: z.null(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 1_000,
  redact: { payload: ["/token"] },
});

const claimed: ClaimedJob = {
  id: "default_1",
  type: job.type,
  envelope: { key: "k", payload: { token: "hunter2-and-more" } },
  attemptsMade: 0,
  crashes: 0,
  readyAt: undefined,
  delivery: 1,
  startBy: undefined,
  submittedAt: 0,
  hasBegun: async () => false,
  countSnooze: async () => 1,
  lease: new Lease(10_000),
  lockToken: "token",
  progress: async () => {},
  keepLog: async () => {},
};

describe("the process's log of a job with secrets", () => {
  it("has none of them: not in a line's text, not in its fields, not in its failure", async () => {
    const lines: string[] = [];
    const log = pino({ level: "debug" }, { write: (line: string) => void lines.push(line) });
    const events = createEvents();
    logAttempts(events, log);
    const handler = job.handler(async ({ payload: { token }, log }) => {
      for (const level of ["debug", "info", "warn", "error"] as const)
        log[level](`with ${token}`, { deep: { token } });
      throw new Error(`refused ${token}`);
    });

    const outcome = await runAttempt(
      {
        handlers: new Map([[job.type, handler]]),
        log,
        events,
        now: Date.now,
        openEffects: (_job, { effects }) =>
          openEffects(effects, () => {
            throw new Error("the job has no effects");
          }),
      },
      claimed,
    );

    expect(lines).toHaveLength(5);
    expect(lines.join("")).not.toContain("hunter2");
    expect(lines[1]).toContain('"deep":{"token":"[redacted]"},"msg":"with [redacted]"');
    expect(outcome).toMatchObject({ failure: { message: "refused [redacted]" } });
    expect(JSON.stringify(outcome)).not.toContain("hunter2");
  });
});
