// What the examples have in common: an order, and the job that belongs to it.
import { defineJob } from "holdfast";
import { z } from "zod";

export const sendReceipt = defineJob({
  type: "send-receipt",
  payload: z.strictObject({ orderId: z.int(), customer: z.string() }),
  result: z.null(),
  retry: { attempts: 5, backoff: { kind: "exponential", delayMs: 1_000 } },
  timeoutMs: 30_000,
});

export interface Order {
  readonly id: number;
  readonly customer: string;
}

/** The receipts of a customer are sent in the order of the orders. */
export function receiptOptions(order: Order) {
  return { idempotencyKey: `receipt-${order.id}`, orderingKey: order.customer };
}

/** The table of the examples. That an id is unique is checked by the commit, so that a test sees one fail. */
export const ordersTable = `CREATE TABLE orders (
  id integer PRIMARY KEY DEFERRABLE INITIALLY DEFERRED,
  customer text NOT NULL
)`;
