import { defineConfig, defineJob, defineSchedule } from "holdfast";
import { z } from "zod";

const retry = { attempts: 2, backoff: { kind: "fixed", delayMs: 50 } } as const;

/** Accepts anything, so that only general rules refuse. */
const anything = defineJob({
  type: "anything",
  payload: z.unknown(),
  result: z.unknown(),
  retry,
  timeoutMs: 5_000,
});

/** A payload that can be wrong in many ways. */
const letter = defineJob({
  type: "letter",
  payload: z.strictObject({
    to: z.email(),
    name: z.string().min(1).max(20),
    lines: z.array(z.string()).optional(),
    copies: z.int().min(1).max(9).optional(),
  }),
  result: z.unknown(),
  retry,
  timeoutMs: 5_000,
});

/** The fuzzed application. */
export default defineConfig({
  jobs: [anything, letter],
  handlers: async () => [
    anything.handler(async () => null),
    letter.handler(async ({ payload }) => payload.to),
  ],
  schedules: [defineSchedule({ name: "hourly", everyMs: 3_600_000, job: anything, payload: () => null })],
});
