import { defineJob } from "holdfast";
import { z } from "zod";

/** Counts down once a second, then launches, which takes five seconds. Fails first, as often as asked. */
export const countdown = defineJob({
  type: "countdown",
  payload: z.strictObject({
    seconds: z.int().min(0).max(60),
    failures: z.int().min(0).max(10).default(0),
  }),
  result: z.strictObject({ launchedAt: z.string() }),
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 2_000 } },
  timeoutMs: 90_000,
  effects: { launch: { timeoutMs: 10_000, inDoubt: "hold" } },
});
