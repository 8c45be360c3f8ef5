import { outbox } from "holdfast/postgres";
import type { Sql } from "postgres";
import { type Order, receiptOptions, sendReceipt } from "./order.ts";

export async function placeOrder(sql: Sql, order: Order): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`INSERT INTO orders (id, customer) VALUES (${order.id}, ${order.customer})`;
    await outbox.add(tx, sendReceipt, { orderId: order.id, customer: order.customer }, receiptOptions(order));
  });
}
