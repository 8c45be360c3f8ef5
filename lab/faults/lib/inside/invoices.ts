import { AsyncLocalStorage } from "node:async_hooks";
import { RetryAfterError } from "holdfast";
import { databaseEffect, fromPg } from "holdfast/postgres";
import pg from "pg";
import { invoice } from "./contracts.ts";
import { arm, pass } from "./injection.ts";
import { trace } from "./trace.ts";

const DECLINED_MS = 300;
const CONNECTS_WITHIN_MS = 1_500;

/** The job of a transaction. */
const jobIds = new AsyncLocalStorage<string>();

const pool = new pg.Pool({
  connectionString: process.env.LAB_DATABASE,
  connectionTimeoutMillis: CONNECTS_WITHIN_MS,
});
pool.on("error", () => {});

const database = fromPg({ connect: async () => withCommitPoints(await pool.connect()) });

function withCommitPoints(client: pg.PoolClient) {
  const query = (text: string, values: string[] = []) =>
    text === "commit" ? commit(client) : client.query(text, values);
  const { on, off, release } = client;
  return { query, on: on.bind(client), off: off.bind(client), release: release.bind(client) };
}

async function commit(client: pg.PoolClient): Promise<pg.QueryResult> {
  const jobId = jobIds.getStore() ?? "";
  const reply = client.query("commit");
  reply.catch(() => {}); // PostgreSQL may die while the fault is injected
  await pass("database:sent", jobId);
  const committed = await reply;
  await pass("database:committed", jobId);
  return committed;
}

export const invoiceHandler = invoice.handler(async ({ payload, jobId, idempotencyKey, attempt, effect }) => {
  trace("begun", jobId);
  if (!arm(jobId, payload.inject)) throw new RetryAfterError(DECLINED_MS * attempt);
  await jobIds.run(jobId, () =>
    databaseEffect(effect, database, "insert", async (tx) => {
      await pass("effect:begun", jobId);
      await tx.query("insert into invoices (key) values ($1)", [idempotencyKey]);
      await pass("effect:recorded", jobId);
    }),
  );
  return {};
});
