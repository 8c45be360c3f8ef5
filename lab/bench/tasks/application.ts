import { defineConfig, defineJob } from "holdfast";
import { z } from "zod";
import { passGate } from "../../../test/support/gate.ts";
import { shopIn } from "../../../test/support/shop.ts";

/** Runs until the gate of its catalog is open. */
export const catalogImport = defineJob({
  type: "catalog-import",
  queue: "imports",
  payload: z.strictObject({ catalog: z.string() }),
  result: z.unknown(),
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 1_000 } },
  timeoutMs: 3_600_000,
  fairness: { key: ({ catalog }) => supplierOf(catalog), label: ({ catalog }) => supplierOf(catalog) },
});

/** @example supplierOf("acme-41") // "acme" */
function supplierOf(catalog: string): string {
  return catalog.slice(0, catalog.indexOf("-"));
}

/** A web shop on a bad night: a partner is down, a mail server hangs up, customers have no VAT number. */
export function shopAtNight() {
  const shop = shopIn({ isPartnerDown: true });
  return defineConfig({
    jobs: [...shop.jobs.values(), catalogImport],
    schedules: shop.schedules,
    handlers: async () => [
      ...(await shop.handlers()),
      catalogImport.handler(({ payload: { catalog }, signal }) =>
        passGate(process.env.REDIS_URL ?? "", catalog, signal),
      ),
    ],
  });
}
