import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import { INTERNAL_QUEUE } from "../../core/job/internal-queue.ts";
import { readBacklog } from "../overview/read-backlog.ts";

/** While their slot is open, nobody knows. */
export const UNREADABLE_ACTS = { running: 0, waiting: 0, oldestWaitingMs: 0 };

/**
 * Counts acts on many jobs that have not ended: their queue is shown nowhere else. Also for how many milliseconds the next one could have
 * run, 0 where none waits, and how many workers are alive: each runs acts.
 */
export async function readActBacklog(stores: QueueStores) {
  const { jobs, workers, oldestWaitingMs, isPaused } = await readBacklog(stores.of(INTERNAL_QUEUE));
  // A delayed one waits for its next attempt.
  const waiting = jobs.waiting + jobs.prioritized + jobs.delayed;
  return { running: jobs.active, waiting, oldestWaitingMs, workers, isPaused };
}
