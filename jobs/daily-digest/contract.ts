import { defineJob } from "holdfast";
import { smtp } from "holdfast/evidence";
import { z } from "zod";

/** Mails the operator what became of the jobs in a span of time, and what is in doubt. */
export const dailyDigest = defineJob({
  type: "daily-digest",
  payload: z
    .strictObject({
      from: z.iso.datetime().meta({ description: "The start of the span." }),
      to: z.iso.datetime().meta({ description: "The end of the span, exclusive." }),
    })
    .refine(({ from, to }) => Date.parse(from) < Date.parse(to), {
      path: ["to"],
      message: "expected an instant after from",
    })
    .meta({ examples: [{ from: "2026-11-23T00:00:00Z", to: "2026-11-24T00:00:00Z" }] }),
  result: z.strictObject({ messageId: z.string() }),
  // About half an hour, so that a restart of the mail server does not lose the digest.
  retry: { attempts: 6, backoff: { kind: "exponential", delayMs: 60_000, jitter: 0.2 } },
  timeoutMs: 60_000,
  effects: { send: { timeoutMs: 15_000, inDoubt: "hold", classify: smtp } },
  requiredVariables: ["SMTP_URL"],
});
