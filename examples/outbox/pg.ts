import { outbox } from "holdfast/postgres";
import type { Pool } from "pg";
import { type Order, receiptOptions, sendReceipt } from "./order.ts";

export async function placeOrder(pool: Pool, order: Order): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    await client.query("INSERT INTO orders (id, customer) VALUES ($1, $2)", [order.id, order.customer]);
    await outbox.add(
      client,
      sendReceipt,
      { orderId: order.id, customer: order.customer },
      receiptOptions(order),
    );
    await client.query("COMMIT");
    client.release();
  } catch (error) {
    client.release(true); // closes the connection, which rolls back
    throw error;
  }
}
