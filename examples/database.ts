// An effect that lives in a transaction of the application's own PostgreSQL.
import { defineJob } from "holdfast";
import { sql } from "holdfast/evidence";
import { databaseEffect, fromPg } from "holdfast/postgres";
import pg from "pg";
import { z } from "zod";

// #region contract
export const writeInvoice = defineJob({
  type: "write-invoice",
  payload: z.strictObject({ customer: z.string(), cents: z.int().positive() }),
  result: z.strictObject({ number: z.string() }),
  retry: { attempts: 5, backoff: { kind: "exponential", delayMs: 1_000 } },
  timeoutMs: 60_000,
  effects: { invoice: { timeoutMs: 10_000, inDoubt: "probe", classify: sql } },
});
// #endregion

// #region pool
/** Everything gives up before the effect does. */
export function openPool(connectionString: string): pg.Pool {
  const pool = new pg.Pool({
    connectionString,
    connectionTimeoutMillis: 2_000,
    statement_timeout: 5_000,
    query_timeout: 7_000,
    idle_in_transaction_session_timeout: 10_000,
  });
  pool.on("error", () => {}); // without a listener, an idle connection that breaks would end the process
  return pool;
}
// #endregion

// #region handler
export function writeInvoiceHandler(pool: pg.Pool) {
  const database = fromPg(pool); // once: it knows when old rows were last deleted
  return writeInvoice.handler(async ({ payload, effect }) => {
    const number = await databaseEffect(effect, database, "invoice", async (tx) => {
      const { rows } = await tx.query(
        "insert into invoices (customer, cents) values ($1, $2) returning number::text",
        [payload.customer, payload.cents],
      );
      await tx.query("update customers set invoiced = invoiced + $2 where name = $1", [
        payload.customer,
        payload.cents,
      ]);
      return String(rows[0].number);
    });
    return { number: number ?? "resolved by hand" };
  });
}
// #endregion
