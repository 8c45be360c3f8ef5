import { startRelay } from "holdfast/postgres";
import pg from "pg";
import { migrate } from "../../../src/roles/outbox/database.ts";
import { createDatabase } from "../../../test/support/postgres.ts";
import { type Call, untilAnswer } from "./answers.ts";
import { shopAtNight } from "./application.ts";

const PARKED = 40;

/** @returns the URL of its database */
export async function createOutbox(postgresUrl: string): Promise<string> {
  const databaseUrl = await createDatabase(postgresUrl);
  await migrate(databaseUrl);
  return databaseUrl;
}

/** A program is ahead of the service: half of its rows have a type that nobody knows yet, the others a payload that is refused. */
export async function parkRows(env: Readonly<Record<string, string>>, call: Call): Promise<void> {
  const database = new pg.Client(env.DATABASE_URL);
  await database.connect();
  await database.query(
    `INSERT INTO holdfast_outbox (type, payload, idempotency_key)
      SELECT CASE WHEN n % 2 = 0 THEN 'order-shipped' ELSE 'order-confirmation' END,
        json_build_object('order', n::text), 'outbox-' || n
      FROM generate_series(1, ${PARKED}) n`,
  );
  await database.end();
  const relay = await startRelay(shopAtNight(), { ...env, HOLDFAST_LOG_LEVEL: "silent" });
  try {
    await untilAnswer<{ readonly parked: number }>(call, "outbox", ({ parked }) => parked === PARKED);
  } finally {
    await relay.stop();
  }
}
