import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { randomInt, randomUUID } from "node:crypto";
import { once } from "node:events";
import { chownSync, existsSync, readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { userInfo } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import { newServerFolder } from "./server-folder.ts";

export interface PostgresOptions {
  /** Whether what was committed survives `kill()`; slower. @default false */
  readonly isDurable?: boolean;
  /** More settings; they override the defaults below. @example { max_connections: "300" } */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A PostgreSQL server that a test may damage. */
export interface PostgresServer {
  /** Of its database `postgres`, as a superuser without a password. */
  readonly url: string;
  readonly port: number;
  /** Ends all its processes with SIGKILL; resolves when they are gone. Its files stay. */
  kill(): Promise<void>;
  /** Kills it and removes its folder. Safe to call twice. */
  stop(): Promise<void>;
  /** Kills it if it runs, and starts it on the same port and files; resolves when it has recovered and accepts connections. */
  restart(): Promise<void>;
}

/** Below the range of ephemeral ports, so that a port stays ours over a restart. */
const ports = { from: 20_000, to: 32_000 };
const startTries = 40;
const TRY_AGAIN_MS = 100;

/** Starts a server on 127.0.0.1 with files of its own; resolves when it accepts connections. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const folder = await newServerFolder("postgres");
  const data = path.join(folder, "data");
  const user = ownUser();
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  const init = ["--auth=trust", "--username=holdfast", "--no-sync", "--encoding=UTF8", "--locale=C"];
  await promisify(execFile)(findProgram("initdb"), ["-D", data, ...init], user);
  const durability = options.isDurable
    ? {}
    : { fsync: "off", synchronous_commit: "off", full_page_writes: "off" };
  const settings = {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: folder,
    ...durability,
    ...options.settings,
  };
  const start = (port?: number) => startOnFreePort(data, settings, port);
  let { server, port } = await start();

  return {
    url: `postgres://holdfast@127.0.0.1:${port}/postgres`,
    port,
    kill: () => server.kill(),
    async stop() {
      await server.kill();
      await rm(folder, { recursive: true, force: true });
    },
    async restart() {
      await server.kill();
      ({ server } = await start(port));
    },
  };
}

/** Makes a database with a random name. @returns its URL */
export async function createDatabase(serverUrl: string): Promise<string> {
  const name = `d${randomUUID().replaceAll("-", "")}`;
  const client = new pg.Client(serverUrl);
  await client.connect();
  await client.query(`create database ${name}`);
  await client.end();
  return new URL(name, serverUrl).href;
}

async function startOnFreePort(
  data: string,
  settings: Readonly<Record<string, string>>,
  wantedPort: number | undefined,
) {
  let printed = "";
  for (let tries = 0; tries < startTries; tries += 1) {
    const port = wantedPort ?? randomInt(ports.from, ports.to);
    const server = await launch(data, { ...settings, port: String(port) });
    if (typeof server !== "string") return { server, port };
    printed = server;
    // The port is taken, or a process of the killed server has not noticed yet.
    if (!/already in use|still in use|is another postmaster/i.test(printed)) break;
    await sleep(TRY_AGAIN_MS);
  }
  throw new Error(`PostgreSQL did not start:\n${printed}`);
}

/**
 * Resolves when the server itself reports that it is ready, so another server on the port is not mistaken for it.
 *
 * @returns what it printed, if it ended instead
 */
async function launch(data: string, settings: Readonly<Record<string, string>>) {
  const args = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const child = spawn(findProgram("postgres"), ["-D", data, ...args], {
    ...ownUser(),
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, LC_ALL: "C" },
  });
  const exited = once(child, "exit");
  endWithUs(child);
  const printed: string[] = [];
  for await (const line of createInterface({ input: child.stderr })) {
    printed.push(line);
    if (!line.includes("ready to accept connections")) continue;
    child.stderr.resume(); // a full pipe would block the server
    return { kill: () => killAll(child, exited) };
  }
  await exited;
  return printed.join("\n");
}

/** With the processes of its connections, which otherwise finish their statement first. */
async function killAll(server: ChildProcess, exited: Promise<unknown>): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const parts = childrenOf(server.pid!);
  server.kill("SIGKILL");
  for (const pid of parts) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {} // it has ended by itself
  }
  await exited;
}

function childrenOf(pid: number): number[] {
  const lines = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" }).trim().split("\n");
  const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number));
  return pairs.flatMap(([child, parent]) => (child !== undefined && parent === pid ? [child] : []));
}

/** The guard ends the server however this process ends, even by SIGKILL, because its pipe closes. */
function endWithUs(server: ChildProcess) {
  const guard = spawn("sh", ["-c", `read _; kill -QUIT ${server.pid}`], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true, // Ctrl-C in the terminal must not end the guard first
  });
  guard.unref();
  server.once("exit", () => guard.kill("SIGKILL"));
}

/**
 * Runs statements as a person or a script does, by `psql`.
 *
 * @param variables as `:'name'` in the text
 * @returns what it printed, without headings
 */
export async function runPsql(
  url: string,
  sql: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<string> {
  const set = Object.entries({ ON_ERROR_STOP: "1", ...variables }).flatMap(([name, value]) => [
    "-v",
    `${name}=${value}`,
  ]);
  const running = promisify(execFile)(findProgram("psql"), [url, "-X", "-Atq", ...set]);
  running.child.stdin?.end(sql); // `-c` reads no variables
  return (await running).stdout.trim();
}

/** PostgreSQL refuses to run as root, so root runs it as the user that its package made. */
function ownUser(): { uid: number; gid: number } | undefined {
  if (userInfo().uid !== 0) return undefined;
  const id = (flag: string) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}

/** Debian keeps the programs of each version in a folder that is not on PATH. */
function findProgram(name: string): string {
  const versions = "/usr/lib/postgresql";
  const folders = existsSync(versions) ? readdirSync(versions).sort().reverse() : [];
  const files = folders.map((version) => path.join(versions, version, "bin", name));
  return files.find((file) => existsSync(file)) ?? name;
}
