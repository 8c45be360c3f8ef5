import { outbox } from "holdfast/postgres";
import type { Knex } from "knex";
import { type Order, receiptOptions, sendReceipt } from "./order.ts";

export async function placeOrder(knex: Knex, order: Order): Promise<void> {
  await knex.transaction(async (trx) => {
    await trx("orders").insert(order);
    await outbox.add(
      trx,
      sendReceipt,
      { orderId: order.id, customer: order.customer },
      receiptOptions(order),
    );
  });
}
