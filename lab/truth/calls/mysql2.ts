import { type Connection, createPool, type Pool, type ResultSetHeader } from "mysql2/promise";
import { sql } from "../inside/evidence.ts";
import type { Calls, Target } from "./call.ts";

async function send(target: Target): Promise<unknown> {
  const { host, port, timeoutMs, ask } = target;
  const login = { user: "truth", password: "truth", database: "truth" };
  const pool = createPool({ host, port, ...login, connectTimeout: timeoutMs });
  try {
    return ask === "transaction" ? await sendInTransaction(pool, target) : await insert(pool, target);
  } finally {
    void pool.end().catch(() => {});
  }
}

async function sendInTransaction(pool: Pool, target: Target): Promise<unknown> {
  const connection = await pool.getConnection();
  try {
    await connection.beginTransaction();
    const id = await insert(connection, target);
    await connection.commit();
    return id;
  } finally {
    connection.release();
  }
}

/** One statement. */
export async function insert(
  on: Pick<Connection, "query">,
  { port, timeoutMs, ask }: Target,
): Promise<unknown> {
  const statement = { sql: "insert into orders (name, cents) values (?, ?)", timeout: timeoutMs };
  const [made] = await on.query<ResultSetHeader>(statement, [`row-${port}`, ask === "refused" ? null : 1]);
  return made.insertId;
}

export const calls: Calls = { asIs: send, asDocumented: send, classify: sql };
