import type { Redis } from "ioredis";
import type { Durability } from "../../config/variables.ts";
import { readClusterNode } from "../cluster/cluster-node.ts";
import { kindOf, type RedisConnection, serversOf, type TopologyKind } from "../connection.ts";
import { type Info, readInfo } from "./info.ts";
import { type RedisCheck, UNSAID } from "./redis-check.ts";

/** Whether something promotes a replica without a person. */
export type Promotion = "none" | "sentinel" | "cluster" | "unknown";

/** A cluster's master without a replica keeps its role, whatever happens. */
export async function promotionOf(server: Redis, info: Info, kind: TopologyKind): Promise<Promotion> {
  if (kind !== "cluster") return kind === "sentinel" ? "sentinel" : "none";
  if (Number(info.get("connected_slaves") ?? 0) > 0) return "cluster";
  const node = await readClusterNode(server);
  if (node === undefined) return "unknown";
  return node.replicas > 0 ? "cluster" : "none";
}

const found: Readonly<Record<Promotion, string>> = {
  none: "none",
  sentinel: "a Sentinel set",
  cluster: "a cluster whose masters have replicas",
  unknown: UNSAID,
};

/** Durability `disk` knows one disk. A promoted replica has another, and a master that was cut off goes on acknowledging. */
export function checkPromotion(promotion: Promotion): RedisCheck {
  return {
    setting: "promotion",
    expected: "that nothing promotes a replica without a person",
    found: found[promotion],
    holds: promotion === "none",
    risk: "a promotion loses acknowledged jobs, and a network split repeats effects",
    remedy:
      promotion === "unknown"
        ? "allow the user CLUSTER NODES, or HOLDFAST_DURABILITY=replica:1; disk-despite-failover accepts the risk"
        : "HOLDFAST_DURABILITY=replica:1; disk-despite-failover accepts the risk",
  };
}

/** Returns the durability in force: where none is configured, and a replica can be promoted, one replica must confirm. */
export async function durabilityFor(client: RedisConnection, configured: Durability): Promise<Durability> {
  if (configured.isDefault === undefined) return configured;
  const kind = kindOf(client);
  const promotions = serversOf(client).map(async (server) =>
    promotionOf(server, await readInfo(server), kind),
  );
  const isSafe = (await Promise.all(promotions)).every((promotion) => promotion === "none");
  return isSafe ? { level: "disk", replicas: 0 } : { level: "replica", replicas: 1 };
}
