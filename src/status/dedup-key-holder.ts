import { queueOfId } from "../job/job-id.ts";
import type { QueueStores } from "../queue/queue-store.ts";

/** Where the keys of a type are claimed. */
export interface DedupKeyPlaces {
  readonly queue: string;
  readonly formerQueues: readonly string[];
}

/** A trail over more queues than this is none that Holdfast has left. */
const STEPS_MAX = 16;

/**
 * Finds the job that has a key: in the slot of the type's queue, else in those of its former queues, the latest first.
 *
 * @returns null where nobody has it, or where its job has not been added yet
 */
export async function findDedupKeyHolder(
  stores: QueueStores,
  dedupKey: string,
  { queue, formerQueues }: DedupKeyPlaces,
): Promise<string | null> {
  const places = [queue, ...[...formerQueues].reverse()];
  const found = await Promise.all(places.map((place) => followTrail(stores, dedupKey, place)));
  return found.find((id) => id !== null) ?? null;
}

/** A slot that names an id of another queue points there. */
async function followTrail(stores: QueueStores, dedupKey: string, place: string): Promise<string | null> {
  let queue = place;
  for (let steps = 0; steps < STEPS_MAX; steps += 1) {
    const id = await stores.client.get(stores.of(queue).keys.dedupKey(dedupKey));
    const named = id === null ? undefined : queueOfId(id);
    if (named === undefined || named === queue) return named === undefined ? null : id;
    queue = named;
  }
  return null;
}
