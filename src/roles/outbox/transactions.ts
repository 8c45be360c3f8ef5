import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import type { Statement } from "./table.ts";

/** A transaction of one of the libraries that `outbox.add` knows, recognised by what it offers. */
export type Transaction =
  | { query(text: string, values: unknown[]): Promise<unknown> } // pg, TypeORM
  | { unsafe(text: string, values: never[]): PromiseLike<unknown>; savepoint: unknown } // postgres
  | { execute(statement: never): PromiseLike<unknown>; rollback: unknown } // Drizzle
  | { $executeRawUnsafe(text: string, ...values: unknown[]): PromiseLike<unknown> } // Prisma
  | { raw(text: string, values: never): unknown; isTransaction?: boolean } // Knex
  | { executeQuery(statement: never): Promise<unknown>; isTransaction: boolean } // Kysely
  | { execute(text: string, values: never): Promise<unknown>; isInTransaction(): boolean }; // MikroORM

type Offered = Readonly<Record<string, unknown>>;
type Call = (...values: readonly unknown[]) => unknown;

interface Library {
  readonly is: (tx: Offered) => boolean;
  /** Whether it is a transaction, and not a pool or a connection outside of one, as far as the library says. */
  readonly isOpen: (tx: Offered) => boolean;
  readonly run: (tx: Offered, statement: Statement) => unknown;
}

const has = (tx: Offered, ...names: readonly string[]) =>
  names.every((name) => typeof tx[name] === "function");
const call = (tx: Offered, name: string, ...values: readonly unknown[]) => (tx[name] as Call)(...values);

/** The first that fits. */
const libraries: readonly Library[] = [
  {
    is: (tx) => has(tx, "$executeRawUnsafe"), // Prisma
    isOpen: (tx) => !has(tx, "$connect"),
    run: (tx, { text, values }) => call(tx, "$executeRawUnsafe", text, ...values),
  },
  {
    is: (tx) => has(tx, "executeQuery"), // Kysely
    isOpen: (tx) => tx.isTransaction === true,
    run: (tx, { text, values }) => {
      const query = { kind: "RawNode", sqlFragments: [text], parameters: [] };
      return call(tx, "executeQuery", { sql: text, parameters: values, query, queryId: { queryId: "" } });
    },
  },
  {
    is: (tx) => has(tx, "isInTransaction", "execute"), // MikroORM
    isOpen: (tx) => call(tx, "isInTransaction") === true,
    run: (tx, statement) => call(tx, "execute", withQuestionMarks(statement), statement.values),
  },
  {
    is: (tx) => has(tx, "execute", "select", "insert"), // Drizzle
    isOpen: (tx) => has(tx, "rollback"),
    run: (tx, { text, values }) => {
      const sql = { getSQL: () => sql, toQuery: () => ({ sql: text, params: [...values] }) };
      return call(tx, "execute", sql);
    },
  },
  {
    is: (tx) => has(tx, "unsafe"), // postgres
    isOpen: (tx) => has(tx, "savepoint"),
    run: (tx, { text, values }) => call(tx, "unsafe", text, values),
  },
  {
    is: (tx) => has(tx, "raw"), // Knex
    isOpen: (tx) => tx.isTransaction === true,
    run: (tx, statement) => call(tx, "raw", withQuestionMarks(statement), statement.values),
  },
  {
    is: (tx) => has(tx, "query"), // pg, TypeORM
    isOpen: (tx) =>
      !("totalCount" in tx) && !isIdle(tx.queryRunner) && !("dataSource" in tx && !tx.queryRunner),
    run: (tx, { text, values }) => call(tx, "query", text, values),
  },
];

function isIdle(queryRunner: unknown): boolean {
  return (queryRunner as { isTransactionActive?: boolean } | undefined)?.isTransactionActive === false;
}

/** Each placeholder occurs once, in order. */
function withQuestionMarks({ text }: Statement): string {
  return text.replace(/\$\d/g, "?");
}

/**
 * Runs a statement in a transaction.
 *
 * @throws HoldfastError `USAGE` for what is no transaction of a library that is known
 */
export async function runIn(tx: Transaction, statement: Statement): Promise<void> {
  const offered: Offered = tx;
  const library = tx == null ? undefined : libraries.find(({ is }) => is(offered));
  if (library === undefined)
    throw new HoldfastError(
      "USAGE",
      "expected a transaction of pg, postgres, Drizzle, Prisma, Knex, Kysely, TypeORM or MikroORM; run outbox.sql(…) with any other library",
    );
  if (!library.isOpen(offered))
    throw new HoldfastError("USAGE", "expected a transaction, got a pool or connection outside of one");
  await library.run(offered, statement);
}
