import { defineJob } from "holdfast";
import { http } from "holdfast/evidence";
import { z } from "zod";

const DAY_MS = 24 * 60 * 60 * 1000;

const receiverUrl = z
  .url({ protocol: /^https?$/, error: "expected an http or https URL", abort: true })
  .max(2_048, "expected at most 2048 characters")
  .refine((text) => {
    const { username, password } = new URL(text);
    return username === "" && password === "";
  }, "expected a URL without user name and password: the signature proves who calls")
  .meta({ description: "Where to post the event." });

const event = z.strictObject({
  type: z
    .string()
    .max(200)
    .regex(/^\w+(\.\w+)*$/, "expected words of letters, digits and _, separated by full stops")
    .meta({ description: "What happened." }),
  timestamp: z.iso.datetime({ offset: true }).optional().meta({ description: "When it happened." }),
  data: z.record(z.string(), z.unknown()).meta({ description: "The details." }),
});

/** Notifies another program of an event, signed as in Standard Webhooks. */
export const webhook = defineJob({
  type: "webhook",
  payload: z.strictObject({ url: receiverUrl, event }).meta({
    examples: [
      {
        url: "https://example.com/webhooks",
        event: { type: "invoice.paid", timestamp: "2026-11-24T09:00:00Z", data: { invoice: "in-42" } },
      },
    ],
  }),
  result: z.strictObject({
    /** The receiver's answer; null if a person resolved it as delivered. */
    status: z.int().nullable(),
  }),
  // About two hours. Even with the longest pauses that a receiver may ask for, less than the day it remembers.
  retry: { attempts: 14, backoff: { kind: "exponential", delayMs: 1_000, jitter: 0.2 } },
  timeoutMs: 30_000,
  // Operators need not see the event's data.
  redact: { payload: ["/event/data"] },
  effects: {
    deliver: { timeoutMs: 10_000, inDoubt: "repeat", downstreamRemembersMs: DAY_MS, classify: http },
  },
});
