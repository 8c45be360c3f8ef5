import { defineJob } from "holdfast";
import { z } from "zod";

/** Tells the operator by mail what became of the jobs of a span of time, and what is in doubt. */
export const dailyDigest = defineJob({
  type: "daily-digest",
  payload: z
    .strictObject({
      from: z.iso.datetime().meta({ description: "Where the span begins." }),
      to: z.iso.datetime().meta({ description: "Where it ends; this instant itself does not belong to it." }),
    })
    .refine(({ from, to }) => Date.parse(from) < Date.parse(to), {
      path: ["to"],
      message: "expected an instant after from",
    })
    .meta({ examples: [{ from: "2026-11-23T00:00:00Z", to: "2026-11-24T00:00:00Z" }] }),
  result: z.strictObject({ messageId: z.string() }),
  // About half an hour: a mail server that is restarted does not cost the digest.
  retry: { attempts: 6, backoff: { kind: "exponential", delayMs: 60_000, jitter: 0.2 } },
  timeoutMs: 60_000,
  effects: { send: { timeoutMs: 15_000, inDoubt: "hold" } },
  requiredVariables: ["SMTP_URL"],
});
