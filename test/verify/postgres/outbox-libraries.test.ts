import { MikroORM } from "@mikro-orm/postgresql";
import { drizzle as drizzlePg } from "drizzle-orm/node-postgres";
import { drizzle as drizzlePostgres } from "drizzle-orm/postgres-js";
import { defineConfig } from "holdfast";
import { outbox, type Transaction } from "holdfast/postgres";
import knex from "knex";
import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import postgres from "postgres";
import { DataSource } from "typeorm";
import { describe, expect, it, onTestFinished } from "vitest";
import * as withDrizzle from "../../../examples/outbox/drizzle.ts";
import * as withKnex from "../../../examples/outbox/knex.ts";
import * as withKysely from "../../../examples/outbox/kysely.ts";
import * as withMikroOrm from "../../../examples/outbox/mikro-orm.ts";
import { type Order, ordersTable } from "../../../examples/outbox/order.ts";
import * as withPg from "../../../examples/outbox/pg.ts";
import * as withPostgres from "../../../examples/outbox/postgres.ts";
import * as withPrisma from "../../../examples/outbox/prisma.ts";
import * as withTypeOrm from "../../../examples/outbox/typeorm.ts";
import { anyJob } from "../../support/application.ts";
import { createOutboxService, type OutboxService } from "../../support/outbox.ts";
import { openPrisma } from "../../support/prisma.ts";

const note = anyJob({ type: "note" });
const application = defineConfig({ jobs: [note], handlers: async () => [] });

/** A client as the example of its library gets it. */
interface Opened {
  /** What the example does: it inserts an order and adds its job in one transaction. */
  readonly placeOrder: (order: Order) => Promise<void>;
  /** A pool, or a connection outside of a transaction. */
  readonly outside: unknown;
  readonly end: () => Promise<unknown>;
}

const libraries: Readonly<Record<string, (url: string) => Opened | Promise<Opened>>> = {
  pg(url) {
    const pool = new pg.Pool({ connectionString: url });
    return { placeOrder: (order) => withPg.placeOrder(pool, order), outside: pool, end: () => pool.end() };
  },
  postgres(url) {
    const sql = postgres(url, { onnotice() {} });
    return { placeOrder: (order) => withPostgres.placeOrder(sql, order), outside: sql, end: () => sql.end() };
  },
  "Drizzle on node-postgres"(url) {
    const db = drizzlePg(url);
    const placeOrder = (order: Order) => withDrizzle.placeOrder(db, order);
    return { placeOrder, outside: db, end: () => db.$client.end() };
  },
  "Drizzle on postgres-js"(url) {
    const db = drizzlePostgres(url);
    const placeOrder = (order: Order) => withDrizzle.placeOrder(db, order);
    return { placeOrder, outside: db, end: () => db.$client.end() };
  },
  async Prisma(url) {
    const prisma = await openPrisma(url);
    const placeOrder = (order: Order) => withPrisma.placeOrder(prisma, order);
    return { placeOrder, outside: prisma, end: () => prisma.$disconnect() };
  },
  Knex(url) {
    const db = knex({ client: "pg", connection: url });
    return { placeOrder: (order) => withKnex.placeOrder(db, order), outside: db, end: () => db.destroy() };
  },
  Kysely(url) {
    const pool = new pg.Pool({ connectionString: url });
    const db = new Kysely<withKysely.Tables>({ dialect: new PostgresDialect({ pool }) });
    return { placeOrder: (order) => withKysely.placeOrder(db, order), outside: db, end: () => db.destroy() };
  },
  async TypeORM(url) {
    const entities = [withTypeOrm.OrderEntity];
    const source = await new DataSource({ type: "postgres", url, entities }).initialize();
    const placeOrder = (order: Order) => withTypeOrm.placeOrder(source, order);
    return { placeOrder, outside: source.manager, end: () => source.destroy() };
  },
  async MikroORM(url) {
    const orm = await MikroORM.init({ clientUrl: url, entities: [withMikroOrm.OrderEntity] });
    const placeOrder = (order: Order) => withMikroOrm.placeOrder(orm, order);
    const end = async () => {
      await orm.close();
      delete process.env.MIKRO_ORM_COLORS; // it sets that
    };
    return { placeOrder, outside: orm.em.fork(), end };
  },
};

const rowsOf = async ({ pool }: OutboxService) =>
  (
    await pool.query(
      "SELECT type, payload, idempotency_key, options, ordering_key, state FROM holdfast_outbox ORDER BY id",
    )
  ).rows;

const payload = { text: "it's $1 ? \\ :name “x”", n: 1.5, list: [null, true] };

describe.each(Object.entries(libraries))("in a transaction of %s", (_, open) => {
  async function start() {
    const service = await createOutboxService(application);
    await service.pool.query(ordersTable);
    const opened = await open(service.databaseUrl);
    onTestFinished(async () => {
      await opened.end();
    });
    return { service, ...opened };
  }

  it("an order and its row are added if it commits, and neither if it rolls back", async () => {
    const { service, placeOrder } = await start();
    const customer = payload.text;

    await placeOrder({ id: 1, customer });
    await expect(placeOrder({ id: 1, customer: "at the commit" })).rejects.toThrow();
    await expect(placeOrder({ id: 2, customer: "" })).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    await placeOrder({ id: 3, customer: "Maria" });

    const row = (orderId: number, name: string) => ({
      type: "send-receipt",
      payload: { orderId, customer: name },
      idempotency_key: `receipt-${orderId}`,
      options: null,
      ordering_key: name,
      state: "waiting",
    });
    expect(await rowsOf(service)).toEqual([row(1, customer), row(3, "Maria")]);
    const { rows: orders } = await service.pool.query("SELECT id, customer FROM orders ORDER BY id");
    expect(orders).toEqual([
      { id: 1, customer },
      { id: 3, customer: "Maria" },
    ]);
  });

  it("a pool, or a connection outside of a transaction, is refused", async () => {
    const { service, outside } = await start();

    const adding = outbox.add(outside as Transaction, note, payload, { idempotencyKey: "outside" });

    await expect(adding).rejects.toMatchObject({ code: "USAGE" });
    expect(await rowsOf(service)).toEqual([]);
  });
});

describe("for any other library", () => {
  it("there is a statement with placeholders", () => {
    const statement = outbox.sql(note, payload, { idempotencyKey: "k", runAt: new Date(0) });

    expect(statement.values).toEqual([
      "note",
      JSON.stringify(payload),
      "k",
      '{"runAt":"1970-01-01T00:00:00.000Z"}',
      null,
    ]);
    expect(statement.text).toMatch(
      /^INSERT INTO holdfast_outbox .*\$1, \$2::text::json, \$3, \$4::text::json, \$5\)$/,
    );
  });

  it("the statement adds the row in the transaction that runs it", async () => {
    const service = await createOutboxService(application);

    await service.commit(async (tx) => {
      const full = { idempotencyKey: "full", priority: 2, orderingKey: "o'1" };
      for (const { text, values } of [
        outbox.sql(note, payload, full),
        outbox.sql(note, null, { idempotencyKey: "bare" }),
      ])
        await tx.query(text, [...values]);
    });

    const common = { type: "note", state: "waiting" };
    expect(await rowsOf(service)).toEqual([
      { ...common, idempotency_key: "full", payload, options: { priority: 2 }, ordering_key: "o'1" },
      { ...common, idempotency_key: "bare", payload: null, options: null, ordering_key: null },
    ]);
  });

  it("what cannot be accepted is refused before it is added", () => {
    const refused = (value: unknown, options: object) => {
      try {
        outbox.sql(note, value, options as { idempotencyKey: string });
        return "nothing";
      } catch (error) {
        return (error as { code: string }).code;
      }
    };

    expect([
      refused(1, { idempotencyKey: "" }),
      refused(1, {}),
      refused(() => {}, { idempotencyKey: "k" }),
      refused(1, { idempotencyKey: "k", delayMs: -1 }),
      refused(1, { idempotencyKey: "k", orderingKey: "" }),
      refused(1, { idempotencyKey: "schedule:x" }),
    ]).toEqual([
      "IDEMPOTENCY_KEY_INVALID",
      "IDEMPOTENCY_KEY_MISSING",
      "INVALID_PAYLOAD",
      "INVALID_REQUEST",
      "INVALID_REQUEST",
      "IDEMPOTENCY_KEY_INVALID",
    ]);
  });
});
