import { type Attempt, defineConfig, defineJob } from "holdfast";
import { z } from "zod";

// #region rename
const definition = {
  payload: z.strictObject({ customer: z.string(), cents: z.int() }),
  result: z.strictObject({ cents: z.int() }),
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 1_000 } },
  timeoutMs: 10_000,
} as const;

/** Stays until its last job has ended and the retention after that is over. */
export const invoice = defineJob({ ...definition, type: "invoice" });
export const bill = defineJob({ ...definition, type: "bill" });

const makeBill = async ({ payload }: Attempt<z.output<typeof definition.payload>>) => ({
  cents: payload.cents,
});

export default defineConfig({
  jobs: [invoice, bill],
  handlers: async () => [invoice.handler(makeBill), bill.handler(makeBill)],
});
// #endregion
