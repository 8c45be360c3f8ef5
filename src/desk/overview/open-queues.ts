import slotOf from "cluster-key-slot";
import { Cluster } from "ioredis";
import { queueOfPartition } from "../../core/bullmq/store/partitions.ts";
import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import { slotStateOf } from "../../platform/redis/cluster/slot-guard.ts";

/** A queue, or one of its partitions, whose slot is being moved, or was left half moved. Nothing can be read of it. */
export type OpenQueue = Awaited<ReturnType<typeof findOpenQueues>>["open"][number];

/**
 * Asks a cluster's masters about the slots of queues. Elsewhere there are none.
 *
 * @returns of each open one whether its master knows, when closing the slot is enough, and why it is open; and whether Redis allows to ask
 */
export async function findOpenQueues(stores: QueueStores, queues: readonly string[]) {
  const { client } = stores;
  if (!(client instanceof Cluster)) return { open: [], isSaid: true };
  const asked = stores.partitionsOf(queues).map(async ({ queue: partition, keys }) => {
    const slot = slotOf(keys.start);
    return { partition, slot, state: await slotStateOf(client, slot) };
  });
  const found = await Promise.all(asked);
  const open = found.flatMap(({ partition, slot, state }) => {
    if (state.kind !== "moving" && state.kind !== "half-moved") return [];
    const { kind, why } = state;
    return [{ queue: queueOfPartition(partition), partition, slot, isKnown: kind === "moving", why }];
  });
  return { open, isSaid: found.every(({ state }) => state.kind !== "unsaid") };
}

export async function findReadableQueues(stores: QueueStores, queues: readonly string[]): Promise<string[]> {
  const { open } = await findOpenQueues(stores, queues);
  return queues.filter((name) => !open.some(({ queue }) => queue === name));
}
