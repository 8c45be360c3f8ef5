// PostgreSQL: the row carries the effect's key, and a constraint keeps it unique.
import { defineJob } from "holdfast";
import { sql } from "holdfast/evidence";
import pg from "pg";
import { z } from "zod";

// #region contract
export const bookPayment = defineJob({
  type: "book-payment",
  payload: z.strictObject({ account: z.string(), cents: z.int() }),
  result: z.strictObject({ booking: z.string() }),
  retry: { attempts: 5, backoff: { kind: "exponential", delayMs: 1_000 } },
  timeoutMs: 60_000,
  effects: { book: { timeoutMs: 10_000, inDoubt: "probe", classify: sql } },
});
// #endregion

// #region handler
// create table bookings (id bigserial primary key, effect text not null unique, account text not null, cents bigint not null)
const INSERT = `insert into bookings (effect, account, cents) values ($1, $2, $3)
  on conflict (effect) do update set effect = excluded.effect returning id`;

/** The server gives up before the effect does. */
export function openPool(options: pg.PoolConfig): pg.Pool {
  return new pg.Pool({
    connectionTimeoutMillis: 2_000,
    statement_timeout: 5_000,
    query_timeout: 7_000,
    ...options,
  });
}

export const bookPaymentHandler = (pool: pg.Pool) =>
  bookPayment.handler(async ({ payload: { account, cents }, effect }) => {
    const booking = await effect(
      "book",
      // One statement, or one transaction, is one effect.
      async ({ key }) => idOf(await send(pool, INSERT, [key, account, cents])),
      {
        probe: async ({ key }) => {
          const done = idOf(await pool.query("select id from bookings where effect = $1", [key]));
          return done === undefined ? "not-done" : { done };
        },
      },
    );
    return { booking: booking ?? "resolved by hand" };
  });

/** With a connection of its own: `pool.query` of a busy pool is sent in the name of whoever frees a connection. */
async function send(pool: pg.Pool, text: string, values: unknown[]): Promise<pg.QueryResult> {
  const client = await pool.connect();
  try {
    const result = await client.query(text, values);
    client.release();
    return result;
  } catch (error) {
    // Where the server has refused, the connection is sound.
    client.release(!(error instanceof pg.DatabaseError));
    throw error;
  }
}

function idOf({ rows }: pg.QueryResult): string | undefined {
  return rows[0]?.id;
}
// #endregion
