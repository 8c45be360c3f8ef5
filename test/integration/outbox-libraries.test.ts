import { defineConfig } from "holdfast";
import { outbox, type Transaction } from "holdfast/postgres";
import { describe, expect, it, onTestFinished } from "vitest";
import { anyJob } from "../support/application.ts";
import { createOutboxService, type OutboxService } from "../support/outbox.ts";
import { openPrisma } from "../support/prisma.ts";

const note = anyJob({ type: "note" });
const application = defineConfig({ jobs: [note], handlers: async () => [] });

/** Runs work in a transaction of the library. */
type InTransaction = (url: string, work: (tx: Transaction) => Promise<void>) => Promise<unknown>;
/** Gives what is no transaction: a pool, or a connection outside of one. */
type Outside = (url: string, use: (connection: Transaction) => Promise<void>) => Promise<unknown>;

interface Library {
  readonly name: string;
  readonly inTransaction: InTransaction;
  readonly outside: Outside;
}

const libraries: readonly Library[] = [
  {
    name: "pg",
    async inTransaction(url, work) {
      const { default: pg } = await import("pg");
      const client = new pg.Client(url);
      await client.connect();
      onTestFinished(() => client.end());
      await client.query("BEGIN");
      try {
        await work(client);
        await client.query("COMMIT");
      } catch (error) {
        await client.query("ROLLBACK");
        throw error;
      }
    },
    async outside(url, use) {
      const { default: pg } = await import("pg");
      const pool = new pg.Pool({ connectionString: url });
      onTestFinished(() => pool.end());
      await use(pool);
    },
  },
  {
    name: "postgres",
    async inTransaction(url, work) {
      const { default: postgres } = await import("postgres");
      const sql = postgres(url);
      onTestFinished(() => sql.end());
      await sql.begin((tx) => work(tx));
    },
    async outside(url, use) {
      const { default: postgres } = await import("postgres");
      const sql = postgres(url);
      onTestFinished(() => sql.end());
      await use(sql as unknown as Transaction);
    },
  },
  ...(["node-postgres", "postgres-js"] as const).map(
    (driver): Library => ({
      name: `Drizzle on ${driver}`,
      async inTransaction(url, work) {
        const db = await openDrizzle(driver, url);
        await db.transaction((tx) => work(tx));
      },
      outside: async (url, use) => await use((await openDrizzle(driver, url)) as unknown as Transaction),
    }),
  ),
  {
    name: "Prisma",
    async inTransaction(url, work) {
      const prisma = await openPrisma(url);
      await prisma.$transaction((tx) => work(tx));
    },
    outside: async (url, use) => await use(await openPrisma(url)),
  },
  {
    name: "Knex",
    async inTransaction(url, work) {
      const knex = await openKnex(url);
      await knex.transaction((trx) => work(trx));
    },
    outside: async (url, use) => await use(await openKnex(url)),
  },
  {
    name: "Kysely",
    async inTransaction(url, work) {
      const db = await openKysely(url);
      await db.transaction().execute((trx) => work(trx));
    },
    outside: async (url, use) => await use(await openKysely(url)),
  },
  {
    name: "TypeORM",
    async inTransaction(url, work) {
      const source = await openTypeOrm(url);
      await source.transaction((manager) => work(manager));
    },
    outside: async (url, use) => await use((await openTypeOrm(url)).manager),
  },
  {
    name: "MikroORM",
    async inTransaction(url, work) {
      const orm = await openMikroOrm(url);
      await orm.em.transactional((em) => work(em));
    },
    outside: async (url, use) => await use((await openMikroOrm(url)).em.fork()),
  },
];

async function openDrizzle(driver: "node-postgres" | "postgres-js", url: string) {
  if (driver === "node-postgres") {
    const { drizzle } = await import("drizzle-orm/node-postgres");
    const db = drizzle(url);
    onTestFinished(() => db.$client.end());
    return db;
  }
  const { drizzle } = await import("drizzle-orm/postgres-js");
  const db = drizzle(url);
  onTestFinished(() => db.$client.end());
  // Both have the same `transaction`.
  return db as unknown as Awaited<ReturnType<typeof import("drizzle-orm/node-postgres").drizzle>>;
}

async function openKnex(url: string) {
  const { default: knex } = await import("knex");
  const db = knex({ client: "pg", connection: url });
  onTestFinished(() => db.destroy());
  return db;
}

async function openKysely(url: string) {
  const [{ Kysely, PostgresDialect }, { default: pg }] = await Promise.all([import("kysely"), import("pg")]);
  const db = new Kysely<object>({
    dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: url }) }),
  });
  onTestFinished(() => db.destroy());
  return db;
}

async function openTypeOrm(url: string) {
  const { DataSource } = await import("typeorm");
  const source = await new DataSource({ type: "postgres", url }).initialize();
  onTestFinished(() => source.destroy());
  return source;
}

async function openMikroOrm(url: string) {
  const { EntitySchema, MikroORM } = await import("@mikro-orm/postgresql");
  const order = new EntitySchema({
    name: "Order",
    properties: { id: { type: "number", primary: true } },
  });
  const orm = await MikroORM.init({ clientUrl: url, entities: [order] });
  onTestFinished(async () => {
    await orm.close();
    delete process.env.MIKRO_ORM_COLORS; // it sets that
  });
  return orm;
}

const rowsOf = async ({ pool }: OutboxService) =>
  (
    await pool.query(
      "SELECT type, payload, idempotency_key, options, ordering_key, state FROM holdfast_outbox ORDER BY id",
    )
  ).rows;

const payload = { text: "it's $1 ? \\ :name “x”", n: 1.5, list: [null, true] };

describe.each(libraries)("in a transaction of $name", ({ inTransaction, outside }) => {
  it("a row is added if it commits, and none if it rolls back", async () => {
    const service = await createOutboxService(application);
    const { databaseUrl } = service;

    await inTransaction(databaseUrl, (tx) =>
      outbox.add(tx, note, payload, { idempotencyKey: "kept", priority: 2, orderingKey: "o'1" }),
    );
    await inTransaction(databaseUrl, (tx) => outbox.add(tx, note, null, { idempotencyKey: "bare" }));
    const undone = inTransaction(databaseUrl, async (tx) => {
      await outbox.add(tx, note, payload, { idempotencyKey: "undone" });
      throw new Error("on request");
    });
    await expect(undone).rejects.toThrow("on request");

    const common = { type: "note", state: "waiting" };
    expect(await rowsOf(service)).toEqual([
      { ...common, idempotency_key: "kept", payload, options: { priority: 2 }, ordering_key: "o'1" },
      { ...common, idempotency_key: "bare", payload: null, options: null, ordering_key: null },
    ]);
  });

  it("a pool, or a connection outside of a transaction, is refused", async () => {
    const service = await createOutboxService(application);

    const adding = outside(service.databaseUrl, (connection) =>
      outbox.add(connection, note, payload, { idempotencyKey: "outside" }),
    );

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
