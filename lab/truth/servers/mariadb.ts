import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import path from "node:path";
import { createConnection, createPool, type RowDataPacket } from "mysql2/promise";
import { endChild, endWithUs } from "../../../test/support/command.ts";
import { until } from "../../lib/waiting.ts";
import { freePort } from "./downstream.ts";
import type { Database } from "./wire.ts";

const STARTS_WITHIN_MS = 30_000;
const TABLE =
  "create table orders (id int auto_increment primary key, name varchar(99) not null, cents int not null)";

/** A real MariaDB in an empty folder of its own: it has no users, and lets everybody in. */
export async function startMariadb(): Promise<Database> {
  const folder = mkdtempSync(path.join(tmpdir(), "holdfast-mariadb-"));
  const data = path.join(folder, "data");
  mkdirSync(data);
  const user = userInfo().uid === 0 ? ["--user=root"] : [];
  const port = await freePort();
  const files = [
    `--datadir=${data}`,
    `--socket=${path.join(folder, "socket")}`,
    `--pid-file=${path.join(folder, "pid")}`,
  ];
  const network = [
    `--port=${port}`,
    "--bind-address=127.0.0.1",
    "--max-connections=300",
    "--skip-grant-tables",
  ];
  const child = spawn("mariadbd", ["--no-defaults", ...files, ...network, ...user], { stdio: "ignore" });
  endWithUs(child);
  const login = { host: "127.0.0.1", port, user: "truth", password: "truth" };
  await until(() => hasDatabase(login), { withinMs: STARTS_WITHIN_MS });
  const pool = createPool({ ...login, database: "truth" });
  await pool.query(TABLE);
  return {
    port,
    async count(name) {
      const [rows] = await pool.query<RowDataPacket[]>(
        "select count(*) as count from orders where name = ?",
        [name],
      );
      return rows[0]?.count;
    },
    async stop() {
      await pool.end();
      await endChild(child, "SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function hasDatabase(login: Parameters<typeof createConnection>[0] & object): Promise<boolean> {
  try {
    const connection = await createConnection(login);
    await connection.query("create database truth");
    await connection.end();
    return true;
  } catch {
    return false;
  }
}
