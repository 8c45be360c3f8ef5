import { EntitySchema, type MikroORM } from "@mikro-orm/postgresql";
import { outbox } from "holdfast/postgres";
import { type Order, receiptOptions, sendReceipt } from "./order.ts";

export const OrderEntity = new EntitySchema<Order>({
  name: "Order",
  tableName: "orders",
  properties: { id: { type: "integer", primary: true }, customer: { type: "text" } },
});

export async function placeOrder(orm: MikroORM, order: Order): Promise<void> {
  await orm.em.transactional(async (em) => {
    em.create(OrderEntity, order); // written at the commit, in the same transaction
    await outbox.add(em, sendReceipt, { orderId: order.id, customer: order.customer }, receiptOptions(order));
  });
}
