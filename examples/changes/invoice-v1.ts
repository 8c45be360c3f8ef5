import { defineJob } from "holdfast";
import { z } from "zod";

export const invoice = defineJob({
  type: "invoice",
  payload: z.strictObject({ customer: z.string(), euros: z.number() }),
  result: z.strictObject({ cents: z.int() }),
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 1_000 } },
  timeoutMs: 10_000,
});
