import { queueOfId } from "../job/job-id.ts";
import type { QueueStores } from "../queue/queue-store.ts";

/** The queues in which the keys of a type are claimed. */
export interface DedupKeyPlaces {
  readonly queue: string;
  readonly formerQueues: readonly string[];
}

/** Holdfast leaves no longer trail. */
const STEPS_MAX = 16;

/**
 * Finds the job that has a key: in the type's queue, else in its former queues, the latest first.
 *
 * @returns null where no job has it, or where its job has not been added yet
 */
export async function findDedupKeyHolder(
  stores: QueueStores,
  dedupKey: string,
  { queue: own, formerQueues }: DedupKeyPlaces,
): Promise<string | null> {
  const queues = [own, ...[...formerQueues].reverse()];
  const found = await Promise.all(queues.map((queue) => followTrail(stores, dedupKey, queue)));
  return found.find((id) => id !== null) ?? null;
}

/** An id of another queue points there. */
async function followTrail(stores: QueueStores, dedupKey: string, start: string): Promise<string | null> {
  let queue = start;
  for (let steps = 0; steps < STEPS_MAX; steps += 1) {
    const id = await stores.client.get(stores.of(queue).keys.dedupKey(dedupKey));
    const named = id === null ? undefined : queueOfId(id);
    if (named === undefined || named === queue) return named === undefined ? null : id;
    queue = named;
  }
  return null;
}
