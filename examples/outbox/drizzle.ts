import { integer, type PgDatabase, type PgQueryResultHKT, pgTable, text } from "drizzle-orm/pg-core";
import { outbox } from "holdfast/postgres";
import { type Order, receiptOptions, sendReceipt } from "./order.ts";

const orders = pgTable("orders", { id: integer().primaryKey(), customer: text().notNull() });

/** @param db over `pg` or `postgres` */
export async function placeOrder(db: PgDatabase<PgQueryResultHKT>, order: Order): Promise<void> {
  await db.transaction(async (tx) => {
    await tx.insert(orders).values(order);
    await outbox.add(tx, sendReceipt, { orderId: order.id, customer: order.customer }, receiptOptions(order));
  });
}
