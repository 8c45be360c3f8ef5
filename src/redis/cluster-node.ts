import type { Redis } from "ioredis";

/** What one node of a cluster says about itself. */
export interface ClusterNode {
  /** How many replicas it has, those that are down included. */
  readonly replicas: number;
  /** How many of its slots are being moved, to it or away from it. */
  readonly openSlots: number;
}

/** @returns undefined where Redis forbids `CLUSTER NODES` */
export async function readClusterNode(server: Redis): Promise<ClusterNode | undefined> {
  try {
    return parseClusterNodes(String(await server.call("CLUSTER", "NODES")));
  } catch (error) {
    // Its ACL may lack the command, and hosted Redis may not have it.
    if (error instanceof Error && /^(NOPERM|ERR)/.test(error.message)) return undefined;
    throw error;
  }
}

/** Each line is `id address flags master ping pong epoch link slot…`; a slot in brackets is being moved. */
export function parseClusterNodes(text: string): ClusterNode {
  const nodes = text.split("\n").map((line) => line.split(" "));
  const [id, , , , , , , , ...slots] = nodes.find(([, , flags = ""]) => flags.includes("myself")) ?? [];
  return {
    replicas: nodes.filter(([, , , master]) => master !== undefined && master === id).length,
    openSlots: slots.filter((slot) => slot.startsWith("[")).length,
  };
}
