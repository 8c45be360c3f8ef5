import { defineJob } from "holdfast";
import { z } from "zod";

const DAY_MS = 24 * 60 * 60 * 1000;

const receiverUrl = z
  .url({ protocol: /^https?$/, error: "expected an http or https URL", abort: true })
  .max(2_048, "expected at most 2048 characters")
  .refine((text) => {
    const { username, password } = new URL(text);
    return username === "" && password === "";
  }, "expected a URL without user name and password: the signature tells the receiver who calls")
  .meta({ description: "Where the event is posted to." });

const event = z.strictObject({
  type: z
    .string()
    .max(200)
    .regex(/^\w+(\.\w+)*$/, "expected words of letters, digits and _, separated by full stops")
    .meta({ description: "What happened." }),
  timestamp: z.iso.datetime({ offset: true }).optional().meta({ description: "When it happened." }),
  data: z.record(z.string(), z.unknown()).meta({ description: "What there is to know about it." }),
});

/** Tells somebody else's program that something happened, signed as Standard Webhooks has it. */
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
    /** What the receiver answered; null where a person settled it as delivered. */
    status: z.int().nullable(),
  }),
  // About two hours of tries; with the longest pauses a receiver may ask for, still less than the day it remembers.
  retry: { attempts: 14, backoff: { kind: "exponential", delayMs: 1_000, jitter: 0.2 } },
  timeoutMs: 30_000,
  // What is told is between the sender and the receiver.
  redact: { payload: ["/event/data"] },
  effects: { deliver: { timeoutMs: 10_000, inDoubt: "repeat", downstreamRemembersMs: DAY_MS } },
});
