import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import { INTERNAL_QUEUE } from "../../core/job/internal-queue.ts";
import { readBacklog } from "../overview/read-backlog.ts";

/** Acts on many jobs that have not ended. Their queue is shown nowhere else. */
export interface ActBacklog {
  readonly running: number;
  readonly waiting: number;
  /** For how many milliseconds the next one could have run; 0 where none waits. */
  readonly oldestWaitingMs: number;
  /** How many workers are alive: each runs acts. */
  readonly workers: number;
  readonly isPaused: boolean;
}

/** While their slot is open, nobody knows. */
export const UNREADABLE_ACTS: ActBacklog = {
  running: 0,
  waiting: 0,
  oldestWaitingMs: 0,
  workers: 0,
  isPaused: false,
};

export async function readActBacklog(stores: QueueStores): Promise<ActBacklog> {
  const { jobs, workers, oldestWaitingMs, isPaused } = await readBacklog(stores.of(INTERNAL_QUEUE));
  // A delayed one waits for its next attempt.
  const waiting = jobs.waiting + jobs.prioritized + jobs.delayed;
  return { running: jobs.active, waiting, oldestWaitingMs, workers, isPaused };
}
