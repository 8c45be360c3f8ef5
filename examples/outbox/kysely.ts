import { outbox } from "holdfast/postgres";
import type { Kysely } from "kysely";
import { type Order, receiptOptions, sendReceipt } from "./order.ts";

export interface Tables {
  orders: { id: number; customer: string };
}

export async function placeOrder(db: Kysely<Tables>, order: Order): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await trx.insertInto("orders").values(order).execute();
    await outbox.add(
      trx,
      sendReceipt,
      { orderId: order.id, customer: order.customer },
      receiptOptions(order),
    );
  });
}
