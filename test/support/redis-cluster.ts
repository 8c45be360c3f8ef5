import { Redis } from "ioredis";
import { type RedisServer, startRedisServer } from "./redis-server.ts";
import { until } from "./until.ts";

/** One third of a cluster's slots. */
export interface Shard {
  readonly master: RedisServer;
  readonly replica: RedisServer;
}

/** A Redis Cluster of three masters with a replica each. */
export interface RedisCluster {
  /** Names its masters, as `REDIS_URL` does. */
  readonly url: string;
  /** The servers that hold a queue's keys. */
  shardOf(prefix: string, queue: string): Promise<Shard>;
  readonly shards: readonly Shard[];
  stop(): Promise<void>;
}

const SLOTS = 16_384;

export interface ClusterOptions {
  /** More arguments of each server, such as `["--aclfile", file]`. */
  readonly args?: readonly string[];
  /** With all rights, where the arguments ask for a password, such as `admin:secret`. */
  readonly admin?: string;
}

/** Starts six servers, joins them, and waits until the replicas are in sync. */
export async function startRedisCluster({
  args: more = [],
  admin,
}: ClusterOptions = {}): Promise<RedisCluster> {
  const args = [
    "--cluster-enabled",
    "yes",
    "--cluster-node-timeout",
    "15000",
    "--repl-diskless-sync-delay",
    "0",
    // `redis-cli --cluster fix` compares keys that two masters have by DEBUG.
    "--enable-debug-command",
    "local",
    ...more,
  ];
  const servers = await Promise.all(Array.from({ length: 6 }, () => startRedisServer({ args })));
  const user = admin === undefined ? "" : `${admin}@`;
  const clients = servers.map(({ url }) => new Redis(url.replace("//", `//${user}`)));
  const stop = async () => {
    for (const client of clients) client.disconnect();
    await Promise.all(servers.map((server) => server.stop()));
  };
  for (const client of clients) client.on("error", () => {});
  try {
    await join(servers, clients);
  } catch (error) {
    await stop();
    throw error;
  }
  const shards = [0, 1, 2].map((index) => ({
    master: servers[index] as RedisServer,
    replica: servers[index + 3] as RedisServer,
  }));
  return {
    url: shards.map(({ master }) => master.url).join(","),
    shards,
    async shardOf(prefix, queue) {
      const slot = Number(await clients[0]?.cluster("KEYSLOT", `${prefix}:{${queue}}:`));
      return shards[shardIndex(slot)] as Shard;
    },
    stop,
  };
}

function firstSlotOf(index: number): number {
  return Math.ceil((SLOTS * index) / 3);
}

function shardIndex(slot: number): number {
  return [0, 1, 2].filter((index) => slot >= firstSlotOf(index)).length - 1;
}

async function join(servers: readonly RedisServer[], clients: readonly Redis[]): Promise<void> {
  const [first] = clients;
  const ids = await Promise.all(clients.map((client) => client.call("CLUSTER", "MYID") as Promise<string>));
  await Promise.all(clients.map((client, index) => client.call("CLUSTER", "SET-CONFIG-EPOCH", index + 1)));
  for (const { port } of servers.slice(1)) await first?.call("CLUSTER", "MEET", "127.0.0.1", port);
  for (const index of [0, 1, 2])
    await clients[index]?.call("CLUSTER", "ADDSLOTSRANGE", firstSlotOf(index), firstSlotOf(index + 1) - 1);
  await until("all nodes know each other", async () => {
    const known = await Promise.all(clients.map((client) => client.call("CLUSTER", "INFO")));
    return known.every((info) => /cluster_known_nodes:6\b/.test(String(info)));
  });
  for (const index of [3, 4, 5]) await clients[index]?.call("CLUSTER", "REPLICATE", ids[index - 3] ?? "");
  await until("the cluster is complete and its replicas are in sync", async () => {
    const known = await Promise.all(clients.map((client) => client.call("CLUSTER", "INFO")));
    const tables = await Promise.all(clients.map((client) => client.call("CLUSTER", "NODES")));
    const masters = await Promise.all(clients.slice(0, 3).map((client) => client.info("replication")));
    return (
      known.every((info) => String(info).includes("cluster_state:ok")) &&
      tables.every((table) => String(table).match(/\bslave\b/g)?.length === 3) &&
      masters.every((info) => info.includes("state=online"))
    );
  });
}
