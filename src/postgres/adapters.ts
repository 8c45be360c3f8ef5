import type { Database, Row } from "./database.ts";
import {
  outliveConnection,
  outliveKyselyConnection,
  outlivePool,
  outliveTransaction,
  refusingInDrizzle,
  refusingOnceOver,
} from "./lost-connections.ts";

// Structural types: no client's own types are needed to read these declarations.

interface PgClient {
  query(text: string, values?: string[]): Promise<{ readonly rows: Row[]; readonly command: string }>;
  on(event: "error", listener: () => void): unknown;
  release(isBroken?: boolean): void;
}

interface PgPool<Client> {
  connect(): Promise<Client>;
  connect(callback: never): void;
}

/**
 * `pg`. The work gets a client of the pool.
 *
 * @example const database = fromPg(new pg.Pool());
 */
export function fromPg<Client extends PgClient>(pool: PgPool<Client>): Database<Client> {
  outlivePool(pool);
  return {
    transaction: (work) => inPgTransaction(pool, work),
    query: async (client, text, values) => (await client.query(text, [...values])).rows,
  };
}

async function inPgTransaction<Client extends PgClient, T>(
  pool: PgPool<Client>,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  outliveConnection(client); // the pool may be another that is only like that of pg
  let isCommitted = false;
  try {
    await client.query("begin");
    const result = await work(client);
    const { command } = await client.query("commit");
    isCommitted = command === "COMMIT";
    if (!isCommitted) throw new Error("PostgreSQL rolled the transaction back: one of its statements failed");
    return result;
  } finally {
    // The end of its connection rolls a transaction back, also one that waits for a reply.
    client.release(!isCommitted);
  }
}

interface Begins<Tx> {
  begin<T>(work: (tx: Tx) => Promise<T>): Promise<unknown>;
  begin<T>(options: string, work: (tx: Tx) => Promise<T>): Promise<unknown>;
}

interface PostgresTransaction {
  unsafe(text: string, values: string[]): PromiseLike<readonly Row[]>;
}

/**
 * `postgres` (Postgres.js). The work gets the `sql` of its transaction.
 *
 * @example const database = fromPostgres(postgres());
 */
export function fromPostgres<Tx extends PostgresTransaction>(sql: Begins<Tx>): Database<Tx> {
  return {
    // It unwraps arrays of promises, so what the work returns is kept apart.
    transaction: async <T>(work: (tx: Tx) => Promise<T>): Promise<T> => {
      type Kept = { result: T };
      const begin = (run: (tx: Tx) => Promise<Kept>) => sql.begin(run) as Promise<Kept>;
      const kept = await outliveTransaction(
        begin,
        async (tx) => ({ result: await work(tx) }),
        refusingOnceOver,
      );
      return kept.result;
    },
    query: async (tx, text, values) => await tx.unsafe(text, [...values]),
  };
}

/** The `sql` tag of Drizzle or Kysely. */
type SqlTag<Statement> = (strings: TemplateStringsArray, ...values: string[]) => Statement;

interface DrizzleTransaction<Statement> {
  execute(statement: Statement): PromiseLike<unknown>;
}

/**
 * Drizzle, over `pg` or `postgres`. The work gets Drizzle's transaction.
 *
 * @param sql the tag of `drizzle-orm`
 * @example const database = fromDrizzle(drizzle(pool), sql);
 */
export function fromDrizzle<Statement, Tx extends DrizzleTransaction<Statement>>(
  db: { readonly $client?: unknown; transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T> },
  sql: SqlTag<Statement>,
): Database<Tx> {
  outlivePool(db.$client);
  return {
    transaction: (work) => outliveTransaction((run) => db.transaction(run), work, refusingInDrizzle),
    query: async (tx, text, values) => rowsOf(await tx.execute(tagged(sql, text, values))),
  };
}

/** As its driver returns them: `pg` returns an object, `postgres` an array. */
function rowsOf(result: unknown): readonly Row[] {
  return Array.isArray(result) ? result : (result as { rows: Row[] }).rows;
}

interface KyselyTransactions<Tx> {
  transaction(): { execute<T>(work: (tx: Tx) => Promise<T>): Promise<T> };
}

interface KyselyConnection<Tx> extends KyselyTransactions<Tx> {
  executeQuery(query: never): Promise<unknown>;
}

interface KyselyStatement<Tx> {
  execute(tx: Tx): Promise<{ readonly rows: unknown[] }>;
}

/**
 * Kysely, with its PostgreSQL dialect. The work gets Kysely's transaction.
 *
 * @param sql the tag of `kysely`
 * @example const database = fromKysely(db, sql);
 */
export function fromKysely<Tx>(
  db: KyselyTransactions<Tx> & {
    connection(): { execute<T>(work: (connection: KyselyConnection<Tx>) => Promise<T>): Promise<T> };
  },
  sql: SqlTag<KyselyStatement<NoInfer<Tx>>>,
): Database<Tx> {
  return {
    transaction: (work) =>
      db.connection().execute(async (connection) => {
        await outliveKyselyConnection(connection);
        return await connection.transaction().execute(work);
      }),
    query: async (tx, text, values) => (await tagged(sql, text, values).execute(tx)).rows as Row[],
  };
}

interface KnexTransaction {
  raw(text: string, values: string[]): PromiseLike<{ readonly rows: Row[] }>;
}

/**
 * Knex, with its `pg` client. The work gets Knex's transaction.
 *
 * @example const database = fromKnex(knex({ client: "pg" }));
 */
export function fromKnex<Tx extends KnexTransaction>(knex: {
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
}): Database<Tx> {
  return {
    transaction: (work) => knex.transaction(work),
    query: async (tx, text, values) => (await tx.raw(partsOf(text).join("?"), [...values])).rows,
  };
}

interface PrismaTransaction {
  $queryRawUnsafe<T>(text: string, ...values: string[]): PromiseLike<T>;
}

/** Milliseconds. */
interface PrismaTimes {
  /** How long a transaction may take. @default Prisma's own, 5,000 */
  readonly timeout?: number;
  /** How long it may wait for a connection. @default Prisma's own, 2,000 */
  readonly maxWait?: number;
}

/**
 * Prisma, with PostgreSQL. The work gets the client of an interactive transaction.
 *
 * @example const database = fromPrisma(prisma, { timeout: 10_000 });
 */
export function fromPrisma<Tx extends PrismaTransaction>(
  prisma: { $transaction<T>(work: (tx: Tx) => Promise<T>, times?: PrismaTimes): Promise<T> },
  times?: PrismaTimes,
): Database<Tx> {
  return {
    transaction: (work) => prisma.$transaction(work, times),
    query: async (tx, text, values) => await tx.$queryRawUnsafe<readonly Row[]>(text, ...values),
  };
}

function tagged<Statement>(sql: SqlTag<Statement>, text: string, values: readonly string[]): Statement {
  const strings = partsOf(text);
  return sql(Object.assign(strings, { raw: strings }), ...values);
}

/** What is between the values. */
function partsOf(text: string): string[] {
  return text.split(/\$\d/);
}
