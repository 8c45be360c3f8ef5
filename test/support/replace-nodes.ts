import { Redis } from "ioredis";
import type { RedisCluster } from "./redis-cluster.ts";
import type { RedisServer } from "./redis-server.ts";
import { until } from "./until.ts";

/** Sends one command to one server. */
export async function askServer(
  { url }: Pick<RedisServer, "url">,
  ...command: readonly string[]
): Promise<string> {
  const client = new Redis(url);
  client.on("error", () => {});
  const [name = "", ...args] = command;
  return String(await client.call(name, ...args).finally(() => client.disconnect()));
}

export const isMaster = async (server: RedisServer) =>
  (await askServer(server, "INFO", "replication")).includes("role:master");
export const hasReplicas = async (server: RedisServer, count: number) =>
  ((await askServer(server, "INFO", "replication")).match(/state=online/g) ?? []).length === count;

/**
 * Puts two new servers in the place of each master and its replica.
 *
 * @param fresh empty servers in cluster mode, two for each shard
 * @param untilLearnt resolves when the roles have seen them: an operator takes the old ones away only then
 * @returns the new masters and replicas
 */
export async function replaceNodes(
  cluster: RedisCluster,
  fresh: readonly RedisServer[],
  untilLearnt: () => Promise<unknown>,
): Promise<[RedisServer, RedisServer][]> {
  const old = cluster.shards.flatMap(({ master, replica }) => [master, replica]);
  await meet(old, fresh);
  const pairs: [RedisServer, RedisServer][] = [];
  for (const [index, { master, replica }] of cluster.shards.entries()) {
    const pair = [fresh[2 * index], fresh[2 * index + 1]] as [RedisServer, RedisServer];
    const id = await askServer(master, "CLUSTER", "MYID");
    for (const server of pair)
      await until("it is a replica", () => askServer(server, "CLUSTER", "REPLICATE", id).catch(() => false));
    await until("the new replicas are in sync", () => hasReplicas(master, 3));
    await until("the new one is master", async () => {
      await askServer(pair[0], "CLUSTER", "FAILOVER").catch(() => {});
      return await isMaster(pair[0]);
    });
    const others = [master, replica, pair[1]];
    await until("all are in sync with it", async () => {
      for (const server of others) await follow(server, pair[0]);
      return await hasReplicas(pair[0], 3);
    });
    pairs.push(pair);
  }
  await untilLearnt();
  await forget(old, fresh);
  return pairs;
}

/**
 * Makes a server the replica of its shard's new master, as an operator does. A replica that hears of the old master's
 * demotion before it hears from the new one stays with the old one for ever.
 */
async function follow(server: RedisServer, master: RedisServer): Promise<void> {
  const info = await askServer(server, "INFO", "replication");
  if (new RegExp(`master_port:${master.port}\\b`).test(info)) return;
  const id = await askServer(master, "CLUSTER", "MYID");
  // Refused while it is a master itself: it has not been told of its demotion.
  await askServer(server, "CLUSTER", "REPLICATE", id).catch(() => {});
}

async function meet(old: readonly RedisServer[], fresh: readonly RedisServer[]): Promise<void> {
  const [first] = old as [RedisServer];
  for (const { host, port } of fresh) await askServer(first, "CLUSTER", "MEET", host, String(port));
  await until("all nodes know each other", async () =>
    (await Promise.all([...old, ...fresh].map((server) => askServer(server, "CLUSTER", "INFO")))).every(
      (info) => info.includes(`cluster_known_nodes:${old.length + fresh.length}\r`),
    ),
  );
}

async function forget(old: readonly RedisServer[], fresh: readonly RedisServer[]): Promise<void> {
  const ids = await Promise.all(old.map((server) => askServer(server, "CLUSTER", "MYID")));
  await Promise.all(old.map((server) => server.kill()));
  for (const server of fresh)
    for (const id of ids)
      await until("it is forgotten", () => askServer(server, "CLUSTER", "FORGET", id).catch(String));
}
