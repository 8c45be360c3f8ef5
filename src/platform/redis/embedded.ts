import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { openSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Redis } from "ioredis";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { makePrivateDirectory, PRIVATE_FILE_MODE } from "../lib/private-files.ts";

// sun_path holds 104 bytes on macOS and 108 on Linux.
const SOCKET_PATH_MAX = 100;

/** The URL of the embedded server of a data directory, whether it runs or not. */
export function embeddedStoreUrl(dataDir: string): string {
  const inside = resolve(dataDir, "store", "redis.sock");
  if (Buffer.byteLength(inside) <= SOCKET_PATH_MAX) return `unix://${inside}`;
  const digest = createHash("sha256").update(inside).digest("hex").slice(0, 16);
  return `unix://${join(tmpdir(), `holdfast-${digest}.sock`)}`;
}

/**
 * Starts the embedded server: Redis or Valkey on a socket that only this user can open, with each write fsynced before it is
 * acknowledged.
 *
 * @throws HoldfastError `START_FAILED` when there is no server on this machine
 */
export function spawnEmbeddedStore(dataDir: string): ChildProcess {
  const directory = resolve(dataDir, "store");
  makePrivateDirectory(directory);
  const log = openSync(join(directory, "store.log"), "a", PRIVATE_FILE_MODE);
  // Detached: a Ctrl-C in the terminal must reach the roles first, and the server last.
  return spawn(findServer(), serverOptions(dataDir, directory), {
    stdio: ["ignore", log, log],
    detached: true,
  });
}

/** Stops a server that an earlier run left behind, e.g. because its supervisor was killed. Its data stays. */
export async function stopOrphanedStore(dataDir: string): Promise<void> {
  const client = new Redis({
    path: embeddedStoreUrl(dataDir).slice("unix://".length),
    lazyConnect: true,
    retryStrategy: () => null,
  });
  client.on("error", () => {});
  try {
    await client.connect();
    await client.shutdown();
  } catch {
    // Nothing listens there, or it is shutting down already.
  } finally {
    client.disconnect();
  }
}

function findServer(): string {
  const found = ["redis-server", "valkey-server"].find((name) => spawnSync(name, ["--version"]).status === 0);
  if (found !== undefined) return found;
  throw new HoldfastError(
    "START_FAILED",
    "No Redis or Valkey server on this machine: install one (e.g. `apt-get install redis-server`), or set REDIS_URL.",
  );
}

function serverOptions(dataDir: string, directory: string): string[] {
  const options: Record<string, string> = {
    port: "0",
    unixsocket: embeddedStoreUrl(dataDir).slice("unix://".length),
    unixsocketperm: "700",
    dir: directory,
    appendonly: "yes",
    appendfsync: "always",
    "no-appendfsync-on-rewrite": "no",
    "maxmemory-policy": "noeviction",
    save: "",
    daemonize: "no",
  };
  return Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
}
