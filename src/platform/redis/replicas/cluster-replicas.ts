import type { Redis } from "ioredis";
import { type ClusterNode, type OtherNode, readClusterNode } from "../cluster/cluster-node.ts";
import type { Replicas } from "./replicas.ts";

/**
 * What could be promoted in the place of a cluster's master: its replicas, and whatever else belongs to its shard. A master that this one
 * has replaced is known as a master without slots until it is back, and can be promoted then.
 *
 * @returns undefined where Redis forbids `CLUSTER NODES`
 */
export async function replicasInCluster(server: Redis): Promise<Replicas | undefined> {
  const node = await readClusterNode(server);
  if (node === undefined) return undefined;
  const shard = shardOf(node, node.others.some(isReplaced) ? await readShard(server, node) : undefined);
  const of = (isBarred: boolean) => shard.filter((other) => other.isBarred === isBarred).map(nameOf);
  return { promotable: new Set(of(false)), others: new Set(of(true)) };
}

/** @param ids of all nodes in its shard, where Redis says so */
function shardOf({ id, others }: ClusterNode, ids: ReadonlySet<string> | undefined): OtherNode[] {
  const replaced = others.filter((other) =>
    ids === undefined ? isLost(other) : isReplaced(other) && ids.has(other.id),
  );
  const masters = [id, ...replaced.map((other) => other.id)];
  return [...replaced, ...others.filter(({ master }) => master !== undefined && masters.includes(master))];
}

function isReplaced({ master, servesSlots }: OtherNode): boolean {
  return master === undefined && !servesSlots;
}

/** Where Redis does not say to which shard it belonged, it may come back in any. */
function isLost(other: OtherNode): boolean {
  return isReplaced(other) && other.hasFailed;
}

/** Older than 7.2, Redis groups nodes by slots: a master without any is alone. */
const NAMES_SHARDS = /^redis_version:(?:7\.[2-9]|[89]|\d\d)/m;

/** @returns undefined where Redis does not say */
async function readShard(server: Redis, { id }: ClusterNode): Promise<ReadonlySet<string> | undefined> {
  try {
    if (!NAMES_SHARDS.test(await server.info("server"))) return undefined;
    const shards = (await server.call("CLUSTER", "SHARDS")) as readonly (readonly unknown[])[];
    const nodes = shards.map(([, , , members]) =>
      (members as readonly (readonly unknown[])[]).map(([, of]) => String(of)),
    );
    return new Set(nodes.find((members) => members.includes(id)));
  } catch (error) {
    if (error instanceof Error && /^(NOPERM|ERR)/.test(error.message)) return undefined;
    throw error;
  }
}

function nameOf({ id, address }: OtherNode): string {
  return address.startsWith(":") ? id : address;
}
