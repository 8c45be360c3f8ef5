import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { openSync } from "node:fs";
import { join, resolve } from "node:path";
import { Redis } from "ioredis";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { makePrivateDirectory, PRIVATE_FILE_MODE } from "../../../platform/lib/private-files.ts";
import { embeddedStoreUrl } from "../../../platform/redis/connect.ts";

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
