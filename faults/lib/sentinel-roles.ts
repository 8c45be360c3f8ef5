import type { SentinelSet } from "../../test/support/redis-sentinel.ts";
import type { RedisServer } from "../../test/support/redis-server.ts";
import { ask, replicasOf, replication } from "./cluster-roles.ts";
import { until } from "./waiting.ts";

const WITHIN_MS = 60_000;
/** As the sentinels call it. */
const NAME = "main";

/** @returns the master, once all other servers are in sync with it and each sentinel knows it */
async function settled(set: SentinelSet): Promise<RedisServer> {
  const found = await until(
    async () => {
      const ports = new Set(await Promise.all(set.sentinels.map(masterPort)));
      const master = set.servers.find(({ port }) => ports.has(String(port)));
      if (ports.size !== 1 || master === undefined) return undefined;
      return (await replicasOf(master)) === set.servers.length - 1 && master;
    },
    { withinMs: WITHIN_MS },
  );
  if (found === undefined) throw new Error("The Sentinel set did not settle");
  return found;
}

/** @returns undefined if the sentinel does not answer in time */
async function masterPort(sentinel: RedisServer): Promise<string | undefined> {
  try {
    const address = await ask(sentinel, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME);
    return (address as string[])[1];
  } catch {
    return undefined;
  }
}

async function untilPromoted(set: SentinelSet, before: RedisServer): Promise<void> {
  const [sentinel] = set.sentinels as [RedisServer];
  const isPromoted = async () => {
    const port = await masterPort(sentinel);
    return port !== undefined && port !== String(before.port);
  };
  if ((await until(isPromoted, { withinMs: WITHIN_MS })) === undefined)
    throw new Error("Nobody was promoted");
}

/** Kills the master, waits until a replica is promoted, and starts it again. */
export async function killSentinelMaster(set: SentinelSet): Promise<void> {
  const master = await settled(set);
  await master.kill();
  await untilPromoted(set, master);
  await master.restart();
  await settled(set);
}

/** Stops the master until a replica is promoted and `moreMs` have passed: then there are two masters. */
export async function splitBrain(set: SentinelSet, moreMs: number): Promise<void> {
  const master = await settled(set);
  process.kill(master.pid, "SIGSTOP");
  await untilPromoted(set, master);
  await new Promise((resolve) => setTimeout(resolve, moreMs));
  process.kill(master.pid, "SIGCONT");
  await settled(set);
}

const PAUSE_MS = "15000";

/** Promotes a replica as the runbook says: nothing is written while it happens. */
export async function plannedFailover(set: SentinelSet): Promise<void> {
  const master = await settled(set);
  await ask(master, "CLIENT", "PAUSE", PAUSE_MS, "WRITE");
  const info = await replication(master);
  const offset = Number(info.get("master_repl_offset"));
  const others = set.servers.filter((server) => server !== master);
  await until(
    async () => {
      const offsets = await Promise.all(
        others.map(async (server) => Number((await replication(server)).get("slave_repl_offset"))),
      );
      return offsets.every((other) => other >= offset);
    },
    { withinMs: 5_000 },
  );
  await promote(set);
}

/** Promotes a replica while everybody goes on writing to the old master. */
export async function promote(set: SentinelSet): Promise<void> {
  const master = await settled(set);
  await set.askSentinel("SENTINEL", "FAILOVER", NAME);
  await untilPromoted(set, master);
  await settled(set);
}
