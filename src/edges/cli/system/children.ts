import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { childEnvironment } from "../../../platform/config/settings.ts";
import type { VariableName } from "../../../platform/config/variables.ts";
import { embeddedStoreUrl } from "../../../platform/redis/connect.ts";
import { openConnection, whenReady } from "../../../platform/redis/connection.ts";
import { spawnEmbeddedStore, stopOrphanedStore } from "./embedded-store.ts";
import { type ChildSpec, readyMessage } from "./supervisor.ts";

const BIN = fileURLToPath(new URL("../../../../bin/holdfast", import.meta.url));
const STORE_START_MS = 60_000;
/** How long a child without jobs gets to stop cleanly. */
const STOP_MS = 10_000;

type Replaced = Partial<Record<VariableName, string>>;

/** A restarted API keeps its port, even if it was chosen at random. */
export function apiChild(metricsPort: Replaced): ChildSpec<{ url: string }> {
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
export function roleChild(
  role: "worker" | "scheduler",
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

/** The metrics ports of the scheduler and the API: those after the worker's. 0 gives each a free port. */
export function laterMetricsPort(port: number | undefined, later: 1 | 2): Replaced {
  if (port === undefined || port === 0) return {};
  return { HOLDFAST_METRICS_PORT: String((port + later) % 65_536) };
}

interface MailboxReady {
  readonly smtpUrl: string;
  readonly pageUrl: string;
}

/** A restarted mailbox keeps its ports, because the worker knows them. */
export function mailboxChild(): ChildSpec<MailboxReady> {
  let ports: string[] = [];
  return {
    name: "mailbox",
    start: () => forkRole(["mailbox", ...ports]),
    async whenReady(child) {
      const ready = await readyMessage<MailboxReady>(child);
      ports = ["--smtp-port", new URL(ready.smtpUrl).port, "--page-port", new URL(ready.pageUrl).port];
      return ready;
    },
    stopMs: STOP_MS,
  };
}

/** The embedded server of a data directory. Stops one that an earlier run left behind. */
export async function storeChild(dataDir: string): Promise<ChildSpec<void>> {
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
  return fork(BIN, args, {
    env: childEnvironment(replaced),
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    detached: true,
  });
}
