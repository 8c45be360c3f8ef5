import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawnEmbeddedStore } from "../edges/cli/system/embedded-store.ts";
import type { Environment } from "../platform/config/settings.ts";
import { HoldfastError } from "../platform/errors/holdfast-error.ts";
import { type Running, stopOnce } from "../platform/lib/running.ts";
import { embeddedStoreUrl } from "../platform/redis/connect.ts";
import { openConnection, serversOf, whenReady } from "../platform/redis/connection.ts";
import { until } from "./until.ts";

/** A store for tests: a server of its own, or keys of its own in a given one. */
export interface ThrowAwayStore extends Running {
  readonly url: string;
  /** Removed by `stop`. */
  readonly directory: string;
  /**
   * Holdfast's variables for an installation of its own in this store.
   *
   * @param env more of them, or others
   */
  environment(env?: Environment): Environment;
}

const START_MS = 10_000;

/**
 * Opens a throw-away store. This process's own `REDIS_URL` is never used: a test must not write where people work.
 *
 * @param redisUrl a running Redis; without it an embedded server is started
 * @throws HoldfastError `START_FAILED` when no server is on this machine, or it does not start
 */
export async function openThrowAwayStore(redisUrl?: string): Promise<ThrowAwayStore> {
  const directory = await mkdtemp(join(tmpdir(), "holdfast-testing-"));
  const prefixes: string[] = [];
  const server = redisUrl === undefined ? await startServer(directory) : undefined;
  const url = redisUrl ?? embeddedStoreUrl(directory);
  return {
    url,
    directory,
    environment(env = {}) {
      const HOLDFAST_PREFIX = `test-${randomUUID()}`;
      prefixes.push(HOLDFAST_PREFIX);
      const own = { REDIS_URL: url, HOLDFAST_DATA_DIR: directory, HOLDFAST_PREFIX };
      return { HOLDFAST_LOG_LEVEL: "silent", ...env, ...own };
    },
    stop: stopOnce(async () => {
      if (server === undefined) await removeKeys(url, prefixes);
      else await kill(server);
      await rm(directory, { recursive: true, force: true });
    }),
  };
}

async function startServer(directory: string): Promise<ChildProcess> {
  try {
    const server = spawnEmbeddedStore(directory);
    endWithThisProcess(server);
    const url = embeddedStoreUrl(directory);
    const hasSocket = () => existsSync(url.slice("unix://".length)) || server.exitCode !== null;
    await until(hasSocket, START_MS, () => "The embedded server does not start");
    if (server.exitCode !== null)
      throw new HoldfastError("START_FAILED", "The embedded server ended at its start");
    const client = openConnection(url, "retrying", () => {});
    await whenReady(client, START_MS).finally(() => client.disconnect());
    return server;
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

/** Ends the server however this process ends, even by SIGKILL: the guard's pipe closes with it. */
function endWithThisProcess(server: ChildProcess): void {
  const guard = spawn("sh", ["-c", `read _; kill -9 ${server.pid}`], {
    stdio: ["pipe", "ignore", "ignore"],
    // A Ctrl-C in the terminal must not end the guard first.
    detached: true,
  });
  guard.unref();
  server.once("exit", () => guard.kill("SIGKILL"));
}

async function kill(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const ended = once(server, "exit");
  server.kill("SIGKILL");
  await ended;
}

async function removeKeys(url: string, prefixes: readonly string[]): Promise<void> {
  const client = openConnection(url, "retrying", () => {});
  try {
    await whenReady(client, START_MS);
    for (const server of serversOf(client))
      for (const prefix of prefixes)
        for await (const keys of server.scanStream({ match: `${prefix}:*`, count: 1_000 }))
          await Promise.all((keys as string[]).map((key) => server.unlink(key)));
  } finally {
    client.disconnect();
  }
}
