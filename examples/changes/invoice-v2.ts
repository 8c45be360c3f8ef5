import { defineJob } from "holdfast";
import { z } from "zod";

// #region payload
const now = z.strictObject({ customer: z.string(), cents: z.int(), currency: z.string().default("EUR") });
/** What jobs hold that were submitted before. */
const before = z
  .strictObject({ customer: z.string(), euros: z.number() })
  .transform(({ customer, euros }) => ({ customer, cents: Math.round(euros * 100), currency: "EUR" }));

export const invoice = defineJob({
  type: "invoice",
  payload: z.union([now, before]),
  result: z.strictObject({ cents: z.int() }),
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 1_000 } },
  timeoutMs: 10_000,
});
// #endregion

export const invoiceHandler = invoice.handler(async ({ payload }) => ({ cents: payload.cents }));
