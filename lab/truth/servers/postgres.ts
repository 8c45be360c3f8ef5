import pg from "pg";
import { startPostgres as startServer } from "../../../test/support/postgres.ts";
import type { Database } from "./wire.ts";

const TABLE = "create table orders (id serial primary key, name text not null, cents integer not null)";

/** A real PostgreSQL in a folder of its own. */
export async function startPostgres(): Promise<Database> {
  const server = await startServer({ settings: { max_connections: "300" } });
  const { port } = server;
  const admin = new pg.Client(server.url);
  await admin.connect();
  await admin.query("create role truth login superuser");
  await admin.query("create database truth");
  await admin.end();
  const pool = new pg.Pool({ port, host: "127.0.0.1", user: "truth", database: "truth" });
  pool.on("error", () => {}); // the server's end reaches connections that the pool has let go
  await pool.query(TABLE);
  return {
    port,
    async count(name) {
      const { rows } = await pool.query("select count(*)::int as count from orders where name = $1", [name]);
      return rows[0].count;
    },
    async stop() {
      await pool.end();
      await server.stop();
    },
  };
}
