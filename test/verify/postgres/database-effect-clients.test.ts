import { sql as drizzleSql } from "drizzle-orm";
import { drizzle as drizzlePg } from "drizzle-orm/node-postgres";
import { drizzle as drizzlePostgres } from "drizzle-orm/postgres-js";
import { defineJob } from "holdfast";
import {
  type Database,
  databaseEffect,
  databaseEffectSql,
  fromDrizzle,
  fromKnex,
  fromKysely,
  fromPg,
  fromPostgres,
  fromPrisma,
} from "holdfast/postgres";
import knex from "knex";
import { Kysely, sql as kyselySql, PostgresDialect } from "kysely";
import pg from "pg";
import postgres from "postgres";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { z } from "zod";
import { createDatabase } from "../../support/postgres.ts";
import { openPrisma } from "../../support/prisma.ts";
import { applicationOf, createService, untilState } from "../../support/service.ts";

const TABLES = `${databaseEffectSql()}
  create table orders (customer text not null)`;
const INSERT = "insert into orders (customer) values ('Anoop')";

const order = defineJob({
  type: "order",
  payload: z.null(),
  result: z.object({ orders: z.number() }),
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 30_000,
  effects: { order: { timeoutMs: 10_000, inDoubt: "probe" } },
});

/** A client, and a statement of it in its own words. */
interface Client<Tx> {
  readonly database: Database<Tx>;
  /** Inserts an order. */
  readonly insert: (tx: Tx) => Promise<unknown>;
  /** Sends a statement that fails. */
  readonly fail: (tx: Tx) => Promise<unknown>;
  readonly end: () => Promise<unknown>;
}

const FAILING = "insert into orders (customer) values (null)";

function open<Tx>(client: Client<Tx>): Client<Tx> {
  onTestFinished(async () => {
    await client.end();
  });
  return client;
}

const clients = {
  pg(url: string) {
    const pool = new pg.Pool({ connectionString: url });
    return open({
      database: fromPg(pool),
      insert: (tx) => tx.query(INSERT),
      fail: (tx) => tx.query(FAILING),
      end: () => pool.end(),
    });
  },
  postgres(url: string) {
    const sql = postgres(url, { onnotice() {} });
    return open({
      database: fromPostgres(sql),
      insert: async (tx) => await tx`insert into orders (customer) values (${"Anoop"})`,
      fail: async (tx) => await tx`insert into orders (customer) values (null)`,
      end: () => sql.end(),
    });
  },
  "drizzle over pg"(url: string) {
    const pool = new pg.Pool({ connectionString: url });
    return open({
      database: fromDrizzle(drizzlePg(pool), drizzleSql),
      insert: (tx) => tx.execute(drizzleSql.raw(INSERT)),
      fail: (tx) => tx.execute(drizzleSql.raw(FAILING)),
      end: () => pool.end(),
    });
  },
  "drizzle over postgres"(url: string) {
    const sql = postgres(url, { onnotice() {} });
    return open({
      database: fromDrizzle(drizzlePostgres(sql), drizzleSql),
      insert: async (tx) => await tx.execute(drizzleSql.raw(INSERT)),
      fail: async (tx) => await tx.execute(drizzleSql.raw(FAILING)),
      end: () => sql.end(),
    });
  },
  kysely(url: string) {
    const db = new Kysely<{ orders: { customer: string } }>({
      dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: url }) }),
    });
    return open({
      database: fromKysely(db, kyselySql),
      insert: (tx) => tx.insertInto("orders").values({ customer: "Anoop" }).execute(),
      fail: (tx) => kyselySql.raw(FAILING).execute(tx),
      end: () => db.destroy(),
    });
  },
  knex(url: string) {
    const db = knex({ client: "pg", connection: url });
    return open({
      database: fromKnex(db),
      insert: async (tx) => await tx("orders").insert({ customer: "Anoop" }),
      fail: async (tx) => await tx.raw(FAILING),
      end: () => db.destroy(),
    });
  },
  async prisma(url: string) {
    const prisma = await openPrisma(url);
    return open({
      database: fromPrisma(prisma, { timeout: 10_000 }),
      insert: (tx) => tx.$executeRawUnsafe(INSERT),
      fail: (tx) => tx.$executeRawUnsafe(FAILING),
      end: () => prisma.$disconnect(),
    });
  },
};

type AnyClient = Client<unknown>;

describe.each(Object.entries(clients))("a database effect with %s", (_, openClient) => {
  async function start(work: (client: AnyClient, tx: unknown, run: number) => Promise<unknown>) {
    const url = await createDatabase(inject("postgresUrl"));
    const admin = new pg.Client(url);
    await admin.connect();
    onTestFinished(() => admin.end());
    await admin.query(TABLES);
    const client = (await openClient(url)) as AnyClient;
    let runs = 0;
    const handler = order.handler(async ({ effect }) => {
      const count = await databaseEffect(effect, client.database, "order", async (tx) => {
        runs += 1;
        await work(client, tx, runs);
        return runs;
      });
      return { orders: count ?? -1 };
    });
    const service = createService(applicationOf(handler));
    await service.startWorker();
    const producer = await service.createProducer();
    const submitted = await producer.submit(order, null, { idempotencyKey: "k" });
    const status = await untilState(producer, submitted.id, "completed", "failed");
    const { rows } = await admin.query<{ orders: number; effects: string[] }>(
      `select (select count(*)::int from orders) as orders,
        (select array_agg(state || ' ' || result) from holdfast_effects where key <> 'horizon') as effects`,
    );
    return { status, runs, ...rows[0] };
  }

  it("commits its key with its work", async () => {
    const { status, ...seen } = await start(({ insert }, tx) => insert(tx));
    expect(status).toMatchObject({ state: "completed", result: { orders: 1 } });
    expect(seen).toEqual({ runs: 1, orders: 1, effects: ["done 1"] });
  });

  it("rolls its work back with its key if it throws, and runs again", async () => {
    const { status, ...seen } = await start(async ({ insert }, tx, run) => {
      await insert(tx);
      if (run === 1) throw new Error("out of paper");
    });
    expect(status).toMatchObject({ state: "completed", attemptsMade: 2 });
    expect(seen).toEqual({ runs: 2, orders: 1, effects: ["done 2"] });
  });

  it("is not done if its work swallows a failed statement", async () => {
    const { status, ...seen } = await start(async ({ insert, fail }, tx, run) => {
      await insert(tx);
      if (run === 1) await fail(tx).catch(() => {});
    });
    expect(status).toMatchObject({ state: "completed", attemptsMade: 2 });
    expect(seen).toEqual({ runs: 2, orders: 1, effects: ["done 2"] });
  });
});
