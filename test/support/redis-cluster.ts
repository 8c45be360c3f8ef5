import { Redis } from "ioredis";
import { type RedisServer, type RedisServerOptions, startRedisServer } from "./redis-server.ts";
import { until } from "./until.ts";

/** One third of a cluster's slots. */
export interface Shard {
  readonly master: RedisServer;
  readonly replica: RedisServer;
}

/** A shard with all of its replicas; the first of them is `replica`. */
export interface WholeShard extends Shard {
  readonly replicas: readonly RedisServer[];
}

/** A Redis Cluster of three masters and their replicas. */
export interface RedisCluster {
  /** Names its masters, as `REDIS_URL` does. */
  readonly url: string;
  /** The servers that hold a queue's keys. */
  shardOf(prefix: string, queue: string): Promise<WholeShard>;
  readonly shards: readonly WholeShard[];
  stop(): Promise<void>;
}

const SLOTS = 16_384;

export interface ClusterOptions {
  /** More arguments of each server, such as `["--aclfile", file]`. */
  readonly args?: readonly string[];
  /** With all rights, where the arguments ask for a password, such as `admin:secret`. */
  readonly admin?: string;
  /** Of each master, or of the first, second and third. @default 1 */
  readonly replicas?: number | readonly [number, number, number];
  /** Starts each server, which is the master of a shard or one of its replicas. @default startRedisServer */
  readonly launch?: (options: RedisServerOptions, place: ServerPlace) => Promise<RedisServer>;
}

export interface ServerPlace {
  readonly shard: number;
  /** 0 for the master. */
  readonly replica: number;
}

/** Starts all servers, joins them, and waits until the replicas are in sync. */
export async function startRedisCluster({
  args: more = [],
  admin,
  replicas = 1,
  launch = startRedisServer,
}: ClusterOptions = {}): Promise<RedisCluster> {
  const args = [
    "--cluster-enabled",
    "yes",
    "--cluster-node-timeout",
    "15000",
    "--repl-diskless-sync-delay",
    "0",
    // A replica stays with the master that it was given: else it moves to one without any, while others wait for it.
    "--cluster-migration-barrier",
    "100",
    // `redis-cli --cluster fix` compares keys that two masters have by DEBUG.
    "--enable-debug-command",
    "local",
    ...more,
  ];
  const places = placesOf(typeof replicas === "number" ? [replicas, replicas, replicas] : replicas);
  const servers = await Promise.all(places.map((place) => launch({ args }, place)));
  const user = admin === undefined ? "" : `${admin}@`;
  const clients = servers.map(({ url }) => new Redis(url.replace("//", `//${user}`)));
  const stop = async () => {
    for (const client of clients) client.disconnect();
    await Promise.all(servers.map((server) => server.stop()));
  };
  for (const client of clients) client.on("error", () => {});
  try {
    await join(servers, clients, places);
  } catch (error) {
    await stop();
    throw error;
  }
  const shards = [0, 1, 2].map((index): WholeShard => {
    const [master, ...others] = servers.filter((_, at) => places[at]?.shard === index) as [
      RedisServer,
      RedisServer,
    ];
    return { master, replica: others[0], replicas: others };
  });
  return {
    url: shards.map(({ master }) => master.url).join(","),
    shards,
    async shardOf(prefix, queue) {
      const slot = Number(await clients[0]?.cluster("KEYSLOT", `${prefix}:{${queue}}:`));
      return shards[shardIndex(slot)] as WholeShard;
    },
    stop,
  };
}

/** The masters first. */
function placesOf(replicas: readonly [number, number, number]): ServerPlace[] {
  const places = replicas.flatMap((count, shard) =>
    Array.from({ length: count + 1 }, (_, replica) => ({ shard, replica })),
  );
  return places.sort((a, b) => a.replica - b.replica || a.shard - b.shard);
}

function firstSlotOf(index: number): number {
  return Math.ceil((SLOTS * index) / 3);
}

function shardIndex(slot: number): number {
  return [0, 1, 2].filter((index) => slot >= firstSlotOf(index)).length - 1;
}

async function join(
  servers: readonly RedisServer[],
  clients: readonly Redis[],
  places: readonly ServerPlace[],
): Promise<void> {
  const [first] = clients;
  const ids = await Promise.all(clients.map((client) => client.call("CLUSTER", "MYID") as Promise<string>));
  await Promise.all(clients.map((client, index) => client.call("CLUSTER", "SET-CONFIG-EPOCH", index + 1)));
  for (const { host, port } of servers.slice(1)) await first?.call("CLUSTER", "MEET", host, port);
  for (const index of [0, 1, 2])
    await clients[index]?.call("CLUSTER", "ADDSLOTSRANGE", firstSlotOf(index), firstSlotOf(index + 1) - 1);
  await until("all nodes know each other", async () => {
    const known = await Promise.all(clients.map((client) => client.call("CLUSTER", "INFO")));
    return known.every((info) => String(info).includes(`cluster_known_nodes:${servers.length}\r`));
  });
  for (const [index, client] of clients.entries())
    if (index >= 3) await client.call("CLUSTER", "REPLICATE", ids[places[index]?.shard ?? 0] ?? "");
  await until("the cluster is complete and its replicas are in sync", async () => {
    const known = await Promise.all(clients.map((client) => client.call("CLUSTER", "INFO")));
    const tables = await Promise.all(clients.map((client) => client.call("CLUSTER", "NODES")));
    const masters = await Promise.all(clients.slice(0, 3).map((client) => client.info("replication")));
    return (
      known.every((info) => String(info).includes("cluster_state:ok")) &&
      tables.every((table) => (String(table).match(/\bslave\b/g) ?? []).length === servers.length - 3) &&
      masters.every(
        (info, shard) =>
          (info.match(/state=online/g) ?? []).length ===
          places.filter((place) => place.shard === shard).length - 1,
      )
    );
  });
}
