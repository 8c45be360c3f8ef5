import pg from "pg";
import { sql } from "../inside/evidence.ts";
import type { Calls, Target } from "./call.ts";
import { Kept } from "./kept.ts";

const kept = new Kept<pg.Pool>();

function open({ host, port, timeoutMs }: Target): pg.Pool {
  const login = { user: "truth", password: "truth", database: "truth" };
  const times = { query_timeout: timeoutMs, connectionTimeoutMillis: timeoutMs };
  // Without a listener, an idle connection that breaks would end the process.
  return new pg.Pool({ host, port, ...login, ...times }).on("error", () => {});
}

async function send(target: Target): Promise<unknown> {
  const pool = kept.of(target.port, () => open(target));
  try {
    return target.ask === "transaction" ? await sendInTransaction(pool, target) : await insert(pool, target);
  } finally {
    void pool.end().catch(() => {});
  }
}

async function sendInTransaction(pool: pg.Pool, target: Target): Promise<unknown> {
  const client = await pool.connect();
  client.on("error", () => {}); // a lost connection would end the process, beside the query's own error
  try {
    await client.query("begin");
    const id = await insert(client, target);
    await client.query("commit");
    return id;
  } finally {
    client.release();
  }
}

/** One statement. */
export async function insert(on: Pick<pg.ClientBase, "query">, { port, ask }: Target): Promise<unknown> {
  const statement = "insert into orders (name, cents) values ($1, $2) returning id";
  const { rows } = await on.query(statement, [`row-${port}`, ask === "refused" ? null : 1]);
  return rows[0]?.id;
}

const warmUp = (target: Target) => kept.keep(target.port, open(target)).query("select 1");

export const calls: Calls = { asIs: send, asDocumented: send, warmUp, classify: sql };
