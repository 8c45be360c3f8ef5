import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import type { SentinelSet } from "../../../test/support/redis-sentinel.ts";
import type { RedisServer } from "../../../test/support/redis-server.ts";
import { until } from "../../lib/waiting.ts";
import { ask, replicasOf } from "./cluster-roles.ts";
import { neutralEnvironment } from "./processes.ts";
import type { Testbed } from "./testbed.ts";

/** A busy machine takes long. */
const WITHIN_MS = 180_000;
/** As the sentinels call it. */
const NAME = "main";

/** @returns the master, once all other servers are in sync with it and each sentinel knows it */
export async function settled(set: SentinelSet): Promise<RedisServer> {
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
export async function masterPort(sentinel: RedisServer): Promise<string | undefined> {
  try {
    const address = await ask(sentinel, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME);
    return (address as string[])[1];
  } catch {
    return undefined;
  }
}

/** A sentinel that was kept from looking for 2 s, on a busy machine, does nothing for a while. */
async function hasPaused(sentinel: RedisServer): Promise<boolean> {
  const info = await ask(sentinel, "INFO", "sentinel").catch(() => "");
  return /^sentinel_tilt:1/m.test(String(info));
}

const PAUSES_MAX = 5;

/** Does not count the time for which sentinels have paused themselves: none promotes anybody then. */
export async function untilPromoted(set: SentinelSet, before: RedisServer): Promise<void> {
  const [sentinel] = set.sentinels as [RedisServer];
  const isPromoted = async () => {
    const port = await masterPort(sentinel);
    return port !== undefined && port !== String(before.port);
  };
  let paused = 0;
  for (let pauses = 0; pauses <= PAUSES_MAX; pauses += 1) {
    let hasPausedNow = false;
    const look = async () => {
      hasPausedNow ||= (await Promise.all(set.sentinels.map(hasPaused))).includes(true);
      return await isPromoted();
    };
    if ((await until(look, { withinMs: WITHIN_MS, everyMs: 200 })) !== undefined) return;
    if (!hasPausedNow) break;
    paused += 1;
  }
  const why = paused > 0 ? `: sentinels have paused themselves ${paused} times, for want of a processor` : "";
  throw new Error(`Nobody was promoted${why}`);
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

/** Promotes a replica as an operator does, with `holdfast store failover`. */
export async function plannedFailover(set: SentinelSet, { installation, env }: Testbed): Promise<void> {
  await settled(set);
  await set.slowDown();
  const child = spawn(process.execPath, [installation.cli, "store", "failover"], {
    env: { ...neutralEnvironment(), ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, "exit")]);
  if (code !== 0) throw new Error(`holdfast store failover: ${said}`);
  await set.inSync();
  await settled(set);
}

/** Promotes a replica while everybody goes on writing to the old master. */
export async function promote(set: SentinelSet): Promise<void> {
  const master = await settled(set);
  await set.slowDown();
  await set.askSentinel("SENTINEL", "FAILOVER", NAME);
  await untilPromoted(set, master);
  await set.inSync();
  await settled(set);
}
