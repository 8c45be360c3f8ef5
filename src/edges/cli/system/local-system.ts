import { type ChildProcess, fork } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { whyNoOutbox } from "../../../desk/outbox/read-outbox.ts";
import { childEnvironment, type Settings } from "../../../platform/config/settings.ts";
import type { VariableName } from "../../../platform/config/variables.ts";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import type { Logger } from "../../../platform/lib/logger.ts";
import { packageFile } from "../../../platform/lib/package-file.ts";
import { PRIVATE_DIRECTORY_MODE, PRIVATE_FILE_MODE } from "../../../platform/lib/private-files.ts";
import { type Running, stopOnce } from "../../../platform/lib/running.ts";
import { embeddedStoreUrl } from "../../../platform/redis/connect.ts";
import { openConnection, whenReady } from "../../../platform/redis/connection.ts";
import { spawnEmbeddedStore, stopOrphanedStore } from "./embedded-store.ts";
import { type ChildSpec, readyMessage, type Supervised, supervise } from "./supervisor.ts";

/** What `up` and `dev` run on one machine: an embedded store without `REDIS_URL`, the three roles, and a relay where there is an outbox. */
export type LocalSystem = Awaited<ReturnType<typeof startLocalSystem>>;

/** @param parts what is started is added at once, so that a failure stops all */
export async function startLocalSystem(settings: Settings, parts: Running[], log: Logger) {
  parts.push(claimDataDirectory(settings.HOLDFAST_DATA_DIR));
  if (settings.REDIS_URL === undefined)
    await startChild(await storeChild(settings.HOLDFAST_DATA_DIR), parts, log);
  const graceMs = settings.HOLDFAST_STOP_GRACE_MS;
  const { HOLDFAST_METRICS_PORT: port } = settings;
  const api = apiChild(laterMetricsPort(port, 2));
  const noRelay = await whyNoOutbox(settings.DATABASE_URL);
  if (noRelay !== undefined && settings.DATABASE_URL !== undefined)
    log.info({ reason: noRelay }, "no relay runs");
  const others = [
    roleChild("worker", {}, graceMs),
    roleChild("scheduler", laterMetricsPort(port, 1), graceMs),
    ...(noRelay === undefined ? [roleChild("relay", laterMetricsPort(port, 3), 0)] : []),
  ];
  return {
    hasRelay: noRelay === undefined,
    /** Starts API, worker, scheduler and relay; after their stop, starts them again with the same port for the API. @returns the API's URL */
    async startRoles(roles: Running[]): Promise<string> {
      const [first, ...rest] = await Promise.allSettled([
        startChild(api, roles, log),
        ...others.map((spec) => startChild(spec, roles, log)),
      ]);
      const failed = [first, ...rest].find((result) => result.status === "rejected");
      if (failed !== undefined) throw failed.reason;
      if (first.status === "rejected") throw new HoldfastError("START_FAILED", "The API did not start");
      return first.value.ready.url;
    },
  };
}

async function startChild<Ready>(
  spec: ChildSpec<Ready>,
  parts: Running[],
  log: Logger,
): Promise<Supervised<Ready>> {
  const child = await supervise(spec, log);
  parts.push(child);
  return child;
}

const STORE_START_MS = 60_000;
/** How long a child without jobs gets to stop cleanly. */
const STOP_MS = 10_000;

type Replaced = Partial<Record<VariableName, string>>;

/** A restarted API keeps its port, even if it was chosen at random. */
function apiChild(metricsPort: Replaced): ChildSpec<{ url: string }> {
  let replaced = metricsPort;
  return {
    name: "API",
    start: () => forkRole(["api"], replaced),
    async whenReady(child) {
      const ready = await readyMessage<{ url: string }>(child);
      replaced = { ...metricsPort, HOLDFAST_PORT: new URL(ready.url).port };
      return ready;
    },
    stopMs: STOP_MS,
  };
}

/** @param graceMs the longest that the role takes to finish its work */
function roleChild(
  role: "worker" | "scheduler" | "relay",
  replaced: Replaced,
  graceMs: number,
): ChildSpec<unknown> {
  return {
    name: role,
    start: () => forkRole([role], replaced),
    whenReady: readyMessage,
    stopMs: graceMs + STOP_MS,
  };
}

/** The metrics ports of the scheduler, the API and the relay: those after the worker's. 0 gives each a free port. */
export function laterMetricsPort(port: number | undefined, later: 1 | 2 | 3): Replaced {
  if (port === undefined || port === 0) return {};
  return { HOLDFAST_METRICS_PORT: String((port + later) % 65_536) };
}

/** The embedded server of a data directory. Stops one that an earlier run left behind. */
async function storeChild(dataDir: string): Promise<ChildSpec<void>> {
  await stopOrphanedStore(dataDir);
  return {
    name: "store",
    start: () => spawnEmbeddedStore(dataDir),
    async whenReady() {
      const client = openConnection(embeddedStoreUrl(dataDir), "retrying", () => {});
      try {
        await whenReady(client, STORE_START_MS);
      } finally {
        client.disconnect();
      }
    },
    stopMs: STOP_MS,
  };
}

/** Detached, so that Ctrl-C reaches only the supervisor, which stops the children in order. */
function forkRole(args: readonly string[], replaced: Replaced = {}): ChildProcess {
  return fork(packageFile("bin/holdfast"), args, {
    env: childEnvironment(replaced),
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    detached: true,
  });
}

/**
 * Claims a data directory for one `up`: two embedded servers on the same files would corrupt them.
 *
 * @returns whose `stop` releases the directory
 * @throws HoldfastError `START_FAILED` if another `up` is running there
 */
export function claimDataDirectory(dataDir: string): Running {
  mkdirSync(dataDir, { recursive: true, mode: PRIVATE_DIRECTORY_MODE });
  const file = join(dataDir, "up.pid");
  const owner = readOwner(file);
  if (owner !== undefined && isAlive(owner)) {
    throw new HoldfastError(
      "START_FAILED",
      `holdfast up is already running on ${dataDir} (process ${owner}); stop it, or set HOLDFAST_DATA_DIR`,
    );
  }
  writeFileSync(file, String(process.pid), { mode: PRIVATE_FILE_MODE });
  chmodSync(file, PRIVATE_FILE_MODE); // an existing file keeps its mode
  return {
    stop: stopOnce(async () => {
      rmSync(file, { force: true });
    }),
  };
}

function readOwner(file: string): number | undefined {
  try {
    return Number.parseInt(readFileSync(file, "utf8"), 10) || undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return pid !== process.pid;
  } catch {
    return false;
  }
}
