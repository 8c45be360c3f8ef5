import { findJobs, type ListPosition } from "../queue/find-jobs.ts";
import type { QueueStore } from "../queue/queue-store.ts";

/** How many of a queue's failed jobs were cancelled: somebody wanted that, and nobody has to look at them. */
export type CountCancelled = (store: QueueStore, failed: number) => Promise<number>;

/** To count means to look at every failed job; more often than this it is not done. */
const EVERY_MS = 10_000;
/** At the most that are kept, their number stays the same while others fail. */
const ANYWAY_AFTER_MS = 60_000;
const ENOUGH_MS = 1_000;
const SLICE = 500;

interface Counted {
  readonly failed: number;
  readonly cancelled: number;
  readonly at: number;
}

/** Counts now and then; in between, and while it counts anew, the last number stands. */
export function openCancelledCounter(): CountCancelled {
  const known = new Map<string, Counted>();
  const counting = new Set<string>();

  async function countAnew(store: QueueStore, failed: number): Promise<Counted> {
    const { queue } = store;
    counting.add(queue);
    try {
      const cancelled = failed === 0 ? 0 : await countIn(store);
      const counted = { failed, cancelled, at: performance.now() };
      known.set(queue, counted);
      return counted;
    } finally {
      counting.delete(queue);
    }
  }

  return async (store, failed) => {
    let counted = known.get(store.queue);
    if (counted === undefined) counted = await countAnew(store, failed);
    // The overview does not wait for it; where the store is away, the next one counts.
    else if (isOld(counted, failed) && !counting.has(store.queue)) countAnew(store, failed).catch(() => {});
    return Math.min(counted.cancelled, failed);
  };
}

function isOld({ failed, at }: Counted, failedNow: number): boolean {
  const ageMs = performance.now() - at;
  return ageMs > (failed === failedNow ? ANYWAY_AFTER_MS : EVERY_MS);
}

async function countIn(store: QueueStore): Promise<number> {
  const enoughAt = performance.now() + ENOUGH_MS;
  let place: ListPosition = { queue: store.queue, state: "failed", offset: 0 };
  let count = 0;
  for (;;) {
    const { ids, scanned, next } = await findJobs(store, place, { code: "CANCELLED" }, SLICE);
    count += ids.length;
    if (scanned === 0 || performance.now() > enoughAt) return count;
    place = next;
  }
}
