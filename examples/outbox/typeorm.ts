import { outbox } from "holdfast/postgres";
import { type DataSource, EntitySchema } from "typeorm";
import { type Order, receiptOptions, sendReceipt } from "./order.ts";

export const OrderEntity = new EntitySchema<Order>({
  name: "Order",
  tableName: "orders",
  columns: { id: { type: "integer", primary: true }, customer: { type: "text" } },
});

export async function placeOrder(source: DataSource, order: Order): Promise<void> {
  await source.transaction(async (manager) => {
    await manager.insert(OrderEntity, order);
    await outbox.add(
      manager,
      sendReceipt,
      { orderId: order.id, customer: order.customer },
      receiptOptions(order),
    );
  });
}
