import { Redis } from "ioredis";
import type { Shard } from "../../../test/support/redis-cluster.ts";
import type { RedisServer } from "../../../test/support/redis-server.ts";
import { until } from "../../lib/waiting.ts";

/** A busy machine takes long: two servers of one shard were not in sync after 60 s at a load of 30 on two cores. */
const WITHIN_MS = 180_000;

/** Sends one command to one server, and fails soon if it does not answer. */
export async function ask(server: Pick<RedisServer, "url">, ...command: string[]): Promise<unknown> {
  const [name = "", ...args] = command;
  const client = new Redis(server.url, {
    maxRetriesPerRequest: 0,
    retryStrategy: null,
    commandTimeout: 2_000,
  });
  client.on("error", () => {});
  try {
    return await client.call(name, args);
  } finally {
    client.disconnect();
  }
}

/** The reply to INFO replication, by field. */
async function replication(server: Pick<RedisServer, "url">): Promise<ReadonlyMap<string, string>> {
  const text = String(await ask(server, "INFO", "replication"));
  return new Map(text.split("\r\n").map((line) => line.split(":", 2) as [string, string]));
}

/** Whether a server is a master, and how many replicas are in sync with it. */
export async function replicasOf(server: Pick<RedisServer, "url">): Promise<number | undefined> {
  const info = await replication(server).catch(() => undefined);
  if (info?.get("role") !== "master") return undefined;
  return [...info].filter(([name, value]) => /^slave\d+$/.test(name) && value.includes("state=online"))
    .length;
}

/**
 * The two servers of a shard in their present roles.
 *
 * @returns once one is the master and the other is in sync with it
 */
export async function inSync({ master, replica }: Shard): Promise<Shard> {
  const found = await until(
    async () => {
      if ((await replicasOf(master)) === 1) return { master, replica };
      return (await replicasOf(replica)) === 1 && { master: replica, replica: master };
    },
    { withinMs: WITHIN_MS },
  );
  if (found === undefined) throw new Error("A shard's two servers did not get in sync");
  return found;
}

/** Waits until a shard's replica has all that its master has written by now. */
export async function untilReplicated({ master }: Shard): Promise<void> {
  const offset = async (name: RegExp) => {
    // A machine that is too busy to answer is asked again.
    const info = String(await ask(master, "INFO", "replication").catch(() => ""));
    const found = name.exec(info)?.[1];
    return found === undefined ? undefined : Number(found);
  };
  const written = await until(() => offset(/^master_repl_offset:(\d+)/m), { withinMs: WITHIN_MS });
  const isReplicated = async () =>
    written !== undefined && ((await offset(/^slave0:.*offset=(\d+)/m)) ?? -1) >= written;
  if ((await until(isReplicated, { withinMs: WITHIN_MS })) === undefined)
    throw new Error("A replica did not catch up");
}

/** Waits until a server is a master. */
async function untilMaster(server: Pick<RedisServer, "url">): Promise<void> {
  const isMaster = async () => (await replicasOf(server)) !== undefined;
  if ((await until(isMaster, { withinMs: WITHIN_MS })) === undefined)
    throw new Error("No server was promoted");
}

/** Kills a shard's master, waits until its replica is promoted, and starts it again as the replica. */
export async function killMaster(shard: Shard): Promise<void> {
  const { master, replica } = await inSync(shard);
  await master.kill();
  await untilMaster(replica);
  await master.restart();
  await inSync(shard);
}

const ASKED_AGAIN_MS = 6_000;

/** Makes a shard's replica its master, as an operator does. */
export async function failOver(shard: Shard): Promise<void> {
  const { replica } = await inSync(shard);
  const askAndLook = async () => {
    // The other masters may refuse their vote so soon after the last time.
    await ask(replica, "CLUSTER", "FAILOVER").catch(() => {});
    const isMaster = async () => (await replicasOf(replica)) !== undefined;
    return await until(isMaster, { withinMs: ASKED_AGAIN_MS });
  };
  if ((await until(askAndLook, { withinMs: WITHIN_MS })) === undefined)
    throw new Error("No server was promoted");
  await inSync(shard);
}

/** Kills both servers of a shard, and starts them again on their files. */
export async function killBoth(shard: Shard, downMs: number): Promise<void> {
  await inSync(shard);
  await Promise.all([shard.master.kill(), shard.replica.kill()]);
  await new Promise((resolve) => setTimeout(resolve, downMs));
  await Promise.all([shard.master.restart(), shard.replica.restart()]);
  await inSync(shard);
}
