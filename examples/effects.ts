// Side effects that must not happen twice, and what to do when nobody knows whether one happened.
import { defineJob } from "holdfast";
import { http } from "holdfast/evidence";
import { z } from "zod";

/** What the example needs of the outside world. */
interface Bank {
  charge(cents: number, key: string, signal: AbortSignal): Promise<{ chargeId: string }>;
  /** The charge with this key, if there is one. */
  find(key: string, signal: AbortSignal): Promise<{ chargeId: string } | undefined>;
}
interface Mail {
  send(to: string, key: string, signal: AbortSignal): Promise<void>;
}

// #region contract
const DAY_MS = 24 * 60 * 60 * 1000;

export const payInvoice = defineJob({
  type: "pay-invoice",
  payload: z.strictObject({ cents: z.int().positive(), recipients: z.array(z.email()) }),
  result: z.strictObject({ chargeId: z.string() }),
  retry: { attempts: 5, backoff: { kind: "exponential", delayMs: 1_000, jitter: 0.5 } },
  timeoutMs: 60_000,
  effects: {
    // One request over HTTP each: so `http` may say what their errors prove. The bank can be asked whether it happened.
    charge: { timeoutMs: 10_000, inDoubt: "probe", classify: http },
    // The mail service recognises a key for a day, so sending again is harmless.
    notify: { timeoutMs: 5_000, inDoubt: "repeat", downstreamRemembersMs: DAY_MS, classify: http },
  },
});
// #endregion

// #region handler
export const payInvoiceHandler = (bank: Bank, mail: Mail) =>
  payInvoice.handler(async ({ payload, effect }) => {
    const { chargeId } = await effect(
      "charge",
      ({ key, signal }) => bank.charge(payload.cents, key, signal),
      {
        probe: async ({ key, signal }) => {
          const charge = await bank.find(key, signal);
          return charge === undefined ? "not-done" : { done: charge };
        },
        assumedResult: ({ key }) => ({ chargeId: `resolved by hand, see ${key}` }),
      },
    );
    for (const to of payload.recipients) {
      await effect("notify", ({ key, signal }) => mail.send(to, key, signal), { index: to });
    }
    return { chargeId };
  });
// #endregion
