import { defineJob } from "holdfast";
import { z } from "zod";

/** Logs how late it started. */
export const beat = defineJob({
  type: "beat",
  payload: z.strictObject({ at: z.iso.datetime() }),
  result: z.strictObject({ lateMs: z.number() }),
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 1_000 } },
  timeoutMs: 5_000,
});
