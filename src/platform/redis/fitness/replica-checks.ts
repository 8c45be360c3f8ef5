import { type Durability, durabilityText } from "../../config/variables.ts";
import type { TopologyKind } from "../connection.ts";
import { demandOf, onlineOf, promotableCount, type Replicas } from "../replicas/replicas.ts";
import { type Info, onlineReplicas } from "./info.ts";
import { type RedisCheck, UNSAID } from "./redis-check.ts";

/** What promotes a replica of a master without a person, and how many could be promoted. */
export interface Promotion {
  readonly by: "none" | "sentinel" | "cluster" | "unknown";
  readonly candidates: number;
  /** Replicas that cannot be promoted. */
  readonly others: number;
}

/** @param replicas undefined where Redis does not say which there are */
export function promotionIn(kind: TopologyKind, replicas: Replicas | undefined, info: Info): Promotion {
  if (kind === "server") return { by: "none", candidates: 0, others: 0 };
  if (replicas === undefined) return { by: "unknown", candidates: 0, others: 0 };
  const candidates = promotableCount(replicas, info);
  return { by: candidates > 0 ? kind : "none", candidates, others: replicas.others.size };
}

const promoters: Readonly<Record<Promotion["by"], string>> = {
  none: "none",
  sentinel: "a Sentinel set",
  cluster: "a cluster whose masters have replicas",
  unknown: UNSAID,
};

const ALL_CONFIRM =
  "leave HOLDFAST_DURABILITY empty, and all replicas that can be promoted confirm each write";
const BOTH_SIDES = "acknowledged jobs are lost, and effects run on both sides of a split network";

export function checkPromotion(promotion: Promotion, durability: Durability): RedisCheck[] {
  if (durability.level === "memory") return [];
  if (durability.level === "disk") return [checkOneDisk(promotion, durability)];
  if (durability.level === "replica") return checkConfirming(promotion, durability);
  return promotion.by === "none" ? [] : [despiteFailover(promotion)];
}

/** Durability `disk` knows one disk. A promoted replica has another, and a master that was cut off goes on acknowledging. */
function checkOneDisk({ by }: Promotion, { isDefault }: Durability): RedisCheck {
  const remedies = {
    unknown: `allow the user CLUSTER NODES; or ${ALL_CONFIRM}; disk-despite-failover accepts the risk`,
    chosen: `${ALL_CONFIRM}; disk-despite-failover accepts the risk`,
    grown: "a replica was added: restart this process, and its writes wait for it",
  };
  return {
    setting: "promotion",
    expected: "that nothing promotes a replica without a person",
    found: promoters[by],
    holds: by === "none",
    risk: "a promotion loses acknowledged jobs, and a network split repeats effects",
    remedy: remedies[by === "unknown" ? "unknown" : isDefault ? "grown" : "chosen"],
  };
}

function despiteFailover({ by }: Promotion): RedisCheck {
  return {
    setting: "promotion",
    expected: "that all replicas that can be promoted confirm each write",
    found: `${promoters[by]}; accepted by HOLDFAST_DURABILITY=disk-despite-failover`,
    holds: true,
    isAccepted: true,
    risk: `at a promotion without a person ${BOTH_SIDES}`,
    remedy: ALL_CONFIRM,
  };
}

/** `WAIT` counts replicas that cannot be promoted as well. */
function checkConfirming({ by, candidates, others }: Promotion, durability: Durability): RedisCheck[] {
  if (by === "none") return [];
  const { replicas, isDefault } = durability;
  const accepted = `accepted by HOLDFAST_DURABILITY=${durabilityText(durability)}`;
  const check = {
    setting: "promotion",
    expected: "that all replicas that can be promoted confirm each write",
    risk: `a replica that did not confirm may be promoted: then ${BOTH_SIDES}`,
    remedy: ALL_CONFIRM,
  };
  if (by === "unknown") {
    const remedy =
      "allow the user CLUSTER NODES, or name a number of replicas: HOLDFAST_DURABILITY=replica:N";
    return isDefault
      ? [{ ...check, found: UNSAID, holds: false, remedy }]
      : [{ ...check, found: `${UNSAID}; ${accepted}`, holds: true, isAccepted: true }];
  }
  if (isDefault || replicas >= candidates + others)
    return [{ ...check, found: `all ${candidates} that can be promoted confirm`, holds: true }];
  const found = `${replicas} of ${candidates + others} confirm; ${accepted}`;
  return [{ ...check, found, holds: true, isAccepted: true }];
}

export function checkReplicas(
  info: Info,
  replicas: Replicas | undefined,
  durability: Durability,
): RedisCheck[] {
  if (durability.level !== "replica") return [];
  if (durability.isDefault !== undefined)
    return replicas === undefined ? [] : [checkAllOnline(info, replicas)];
  const online = onlineReplicas(info);
  return [
    {
      setting: "replicas",
      expected: `${durability.replicas} online`,
      found: String(online),
      holds: online >= durability.replicas,
      isEnforced: true,
      risk: "no job can be acknowledged as replicated",
      remedy: "connect the missing replicas",
    },
  ];
}

function checkAllOnline(info: Info, replicas: Replicas): RedisCheck {
  const { away } = demandOf(replicas, info);
  const wanted = promotableCount(replicas, info);
  const online = onlineOf(replicas, info);
  return {
    setting: "replicas",
    expected: `all ${wanted} that can be promoted online`,
    found: away.length === 0 ? String(online) : `${online}, and ${away.join(", ")} away`,
    holds: away.length === 0 && online >= wanted,
    isEnforced: true,
    risk: "no job can be acknowledged as replicated: one that is away can come back and be promoted",
    remedy:
      "bring back the missing ones, or take out those that are gone for good: SENTINEL RESET at each sentinel, CLUSTER FORGET at each node",
  };
}
