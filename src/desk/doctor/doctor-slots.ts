import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import { INTERNAL_QUEUE } from "../../core/job/internal-queue.ts";
import { type Finding, finding, findings } from "../../platform/errors/finding.ts";
import { UNSAID } from "../../platform/redis/fitness/redis-check.ts";
import { findOpenQueues, type OpenQueue } from "../overview/open-queues.ts";

/** Names the queues that stand still because a cluster's slot is being moved, or was left half moved. */
export async function diagnoseSlots(stores: QueueStores, queues: readonly string[]): Promise<Finding[]> {
  const { open, isSaid } = await findOpenQueues(stores, [...queues, INTERNAL_QUEUE]);
  return findings(!isSaid && unsaid(), open.map(openSlot));
}

function unsaid(): Finding {
  return finding("slots of queues", "warn", UNSAID, {
    reason: "a slot that is half moved when its master is replaced loses jobs unnoticed",
    remedy: "allow the user CLUSTER NODES and CLUSTER COUNTKEYSINSLOT",
  });
}

function openSlot({ partition, slot, isKnown, why }: OpenQueue): Finding {
  const fix = "redis-cli --cluster fix HOST:PORT, never CLUSTER SETSLOT … STABLE";
  const again = `if that finds no open slot, first CLUSTER SETSLOT ${slot} IMPORTING ID on the server that is named, with the id of the slot's master`;
  return finding(`slot of ${partition}`, "bad", `slot ${slot} is open: ${why}`, {
    reason:
      "its keys are with two masters, so its jobs are neither accepted nor run nor read, and are left out of other checks",
    remedy: isKnown
      ? `wait until the move is over; if none runs, ${fix}`
      : `start each server that is named, then ${fix}; ${again}`,
    code: "STORE_UNAVAILABLE",
  });
}
