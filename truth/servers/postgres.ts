import { execFileSync, spawn } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import path from "node:path";
import pg from "pg";
import { until } from "../../faults/lib/waiting.ts";
import { endChild, endWithUs } from "../../test/support/command.ts";
import { freePort } from "./downstream.ts";
import type { Database } from "./wire.ts";

const STARTS_WITHIN_MS = 30_000;
const TABLE = "create table orders (id serial primary key, name text not null, cents integer not null)";

/** A real PostgreSQL in a folder of its own. It refuses to run as root, so root runs it as the user that its package made. */
export async function startPostgres(): Promise<Database> {
  const folder = mkdtempSync(path.join(tmpdir(), "holdfast-postgres-"));
  const user = ownUser();
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  const data = path.join(folder, "data");
  const init = ["-D", data, "--auth=trust", "--username=truth", "--no-sync", "--encoding=UTF8"];
  execFileSync(program("initdb"), init, { ...user, stdio: ["ignore", "ignore", "inherit"] });
  const port = await freePort();
  const settings = {
    port,
    listen_addresses: "127.0.0.1",
    unix_socket_directories: folder,
    max_connections: 300,
    fsync: "off",
  };
  const args = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const child = spawn(program("postgres"), ["-D", data, ...args], { ...user, stdio: "ignore" });
  endWithUs(child);
  await until(() => hasDatabase(port), { withinMs: STARTS_WITHIN_MS });
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
      await endChild(child, "SIGINT");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function hasDatabase(port: number): Promise<boolean> {
  const client = new pg.Client({ port, host: "127.0.0.1", user: "truth", database: "postgres" });
  try {
    await client.connect();
    await client.query("create database truth");
    await client.end();
    return true;
  } catch {
    return false;
  }
}

function ownUser(): { uid: number; gid: number } | undefined {
  if (userInfo().uid !== 0) return undefined;
  const id = (flag: string) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}

/** Debian keeps the programs of each version in a folder that is not on PATH. */
function program(name: string): string {
  const versions = "/usr/lib/postgresql";
  const folders = existsSync(versions) ? readdirSync(versions).sort().reverse() : [];
  const files = folders.map((version) => path.join(versions, version, "bin", name));
  return files.find((file) => existsSync(file)) ?? name;
}
