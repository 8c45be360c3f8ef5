import { defineJob } from "holdfast";
import { z } from "zod";

export const welcome = defineJob({
  type: "welcome",
  payload: z.strictObject({ to: z.string(), copies: z.int().min(1).default(1) }),
  result: z.strictObject({ sent: z.int() }),
  retry: { attempts: 3, backoff: { kind: "exponential", delayMs: 100, jitter: 0.2 } },
  timeoutMs: 10_000,
  effects: { send: { timeoutMs: 1_000, inDoubt: "hold" } },
  redact: { payload: ["/to"] },
});
