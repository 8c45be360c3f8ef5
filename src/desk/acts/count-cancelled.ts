import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { findJobs, LIST_START, SLICE } from "../jobs/find-jobs.ts";

/** Counts the cancelled among a queue's failed jobs: nobody has to look at those. */
export type CountCancelled = (store: QueueStore, failed: number) => Promise<number>;

/** Counting reads every failed job, so it is rare. */
const EVERY_MS = 10_000;
/** Once the most failed jobs are kept, their number stays the same although others fail. */
const UNCHANGED_EVERY_MS = 60_000;
const TIME_MAX_MS = 1_000;

interface Count {
  readonly failed: number;
  readonly cancelled: number;
  readonly at: number;
}

/** @returns a counter that counts now and then, and answers with its last number in between */
export function openCancelledCounter(): CountCancelled {
  const counts = new Map<string, Count>();
  const counting = new Set<string>();

  async function count(store: QueueStore, failed: number): Promise<Count> {
    const { queue } = store;
    counting.add(queue);
    try {
      const cancelled = failed === 0 ? 0 : await countIn(store);
      const counted = { failed, cancelled, at: performance.now() };
      counts.set(queue, counted);
      return counted;
    } finally {
      counting.delete(queue);
    }
  }

  return async (store, failed) => {
    const last = counts.get(store.queue);
    // The overview does not wait for a new count. If Redis is away, the next call counts again.
    if (last !== undefined && isOld(last, failed) && !counting.has(store.queue))
      count(store, failed).catch(() => {});
    const { cancelled } = last ?? (await count(store, failed));
    return Math.min(cancelled, failed);
  };
}

function isOld({ failed, at }: Count, failedNow: number): boolean {
  return performance.now() - at > (failed === failedNow ? UNCHANGED_EVERY_MS : EVERY_MS);
}

async function countIn(store: QueueStore): Promise<number> {
  const endAt = performance.now() + TIME_MAX_MS;
  const failed = { queue: store.queue, of: { list: "failed" } } as const;
  let position = LIST_START;
  let count = 0;
  for (;;) {
    const { ids, isEnd, next } = await findJobs(store, failed, position, { code: "CANCELLED" }, SLICE);
    count += ids.length;
    if (isEnd || performance.now() > endAt) return count;
    position = next;
  }
}
