import { outbox } from "holdfast/postgres";
import { type Order, receiptOptions, sendReceipt } from "./order.ts";

/** The part of the client from `prisma generate` that is used here. With a model, `tx.order.create({ data: order })` does the same. */
interface PrismaClient {
  $transaction<T>(work: (tx: PrismaTransaction) => Promise<T>): Promise<T>;
}

interface PrismaTransaction {
  $executeRaw(strings: TemplateStringsArray, ...values: unknown[]): Promise<number>;
  $executeRawUnsafe(text: string, ...values: unknown[]): Promise<number>;
}

export async function placeOrder(prisma: PrismaClient, order: Order): Promise<void> {
  await prisma.$transaction(async (tx) => {
    await tx.$executeRaw`INSERT INTO orders (id, customer) VALUES (${order.id}, ${order.customer})`;
    await outbox.add(tx, sendReceipt, { orderId: order.id, customer: order.customer }, receiptOptions(order));
  });
}
