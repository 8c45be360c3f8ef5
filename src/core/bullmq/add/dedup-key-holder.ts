import { keyHolder, queueOfHolder } from "../../job/job-id.ts";
import type { KeyPlaces } from "../store/partitions.ts";
import type { QueueStores } from "../store/queue-store.ts";

/** Holdfast leaves no trail that is longer. */
const STEPS_MAX = 16;

/**
 * Finds the job that has a key: where it belongs now, else where it belonged before, the latest first.
 *
 * @returns null where no job has it, or where its job has not been added yet
 */
export async function findDedupKeyHolder(
  stores: QueueStores,
  dedupKey: string,
  places: KeyPlaces,
): Promise<string | null> {
  const queues = [...stores.layouts.homesOf(places, dedupKey)].reverse();
  const found = await Promise.all(queues.map((queue) => followTrail(stores, dedupKey, queue)));
  return found.find((id) => id !== null) ?? null;
}

/** An id of another queue points there. */
async function followTrail(stores: QueueStores, dedupKey: string, start: string): Promise<string | null> {
  let queue = start;
  for (let steps = 0; steps < STEPS_MAX; steps += 1) {
    const text = await stores.client.get(stores.of(queue).keys.dedupKey(dedupKey));
    const named = text === null ? undefined : queueOfHolder(text);
    if (text === null || named === undefined) return null;
    if (named === queue) return keyHolder(text).job;
    queue = named;
  }
  return null;
}
