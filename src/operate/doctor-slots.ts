import { INTERNAL_QUEUE } from "../job/internal-queue.ts";
import { findOpenQueues, type OpenQueue } from "../queue/open-queues.ts";
import type { QueueStores } from "../queue/queue-store.ts";
import { type Finding, finding } from "./finding.ts";

/** Names the queues that stand still because a cluster's slot is being moved, or was left half moved. */
export async function diagnoseSlots(stores: QueueStores, queues: readonly string[]): Promise<Finding[]> {
  return (await findOpenQueues(stores, [...queues, INTERNAL_QUEUE])).map(openSlot);
}

function openSlot({ partition, slot, isKnown, why }: OpenQueue): Finding {
  const fix = "redis-cli --cluster fix HOST:PORT, never CLUSTER SETSLOT … STABLE";
  return finding(`slot of ${partition}`, "bad", `slot ${slot} is open: ${why}`, {
    reason:
      "its keys are with two masters, so its jobs are neither accepted nor run nor read, and are left out of other checks",
    remedy: isKnown
      ? `wait until the move is over; if none runs, ${fix}`
      : `start each server that is named, then ${fix}`,
    code: "STORE_UNAVAILABLE",
  });
}
