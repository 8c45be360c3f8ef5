import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { type JobState, jobStates } from "../../core/job/job-state.ts";
import { SILENT_AFTER_MS } from "../../core/job/worker-heartbeat.ts";
import { quietKey } from "../../core/watch/heartbeat.ts";
import { integer, listOf } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";

export interface Backlog {
  /** Finished jobs count while they are kept. */
  readonly jobs: Readonly<Record<JobState, number>>;
  /** Workers with a recent heartbeat. */
  readonly workers: number;
  /** For how many milliseconds the next job could have run; 0 where none waits. */
  readonly oldestWaitingMs: number;
  /** Effects in doubt, and the age of the oldest in milliseconds; 0 where there is none. */
  readonly doubts: number;
  readonly oldestDoubtMs: number;
  readonly isPaused: boolean;
  /** Whether its starts are limited, by hand or as declared. */
  readonly isLimited: boolean;
  /** Whether a limit keeps the next job from starting now. */
  readonly isAtLimit: boolean;
  /** Of the workers, those that were told to claim no more jobs. */
  readonly quietWorkers: number;
  /** Whether it was resumed slowly, and is not at full speed yet. */
  readonly isRamping: boolean;
}

const script = loadScript(import.meta.url, "backlog.lua", listOf(integer));

/** Reads a partition's backlog in one step, at the same cost at any depth. */
export async function readBacklog(store: QueueStore): Promise<Backlog> {
  const { client, keys } = store;
  const args = [keys.start, SILENT_AFTER_MS];
  const [
    waiting = 0,
    prioritized = 0,
    delayed = 0,
    active = 0,
    completed = 0,
    failed = 0,
    workers = 0,
    doubts = 0,
    oldestWaitingMs = 0,
    oldestDoubtMs = 0,
    paused = 0,
    waitingChildren = 0,
    limited = 0,
    quietWorkers = 0,
    ramping = 0,
  ] = await script.run(client, [keys.doubts, keys.workersSeen, keys.own("workers"), quietKey(store)], args);
  const jobs = {
    waiting,
    "waiting-children": waitingChildren,
    prioritized,
    delayed,
    active,
    completed,
    failed,
  };
  const limits = { isLimited: limited > 0, isAtLimit: limited > 1 };
  const speed = { isPaused: paused === 1, ...limits, quietWorkers, isRamping: ramping === 1 };
  return { jobs, workers, oldestWaitingMs, doubts, oldestDoubtMs, ...speed };
}

/** Reads the backlog of a queue: the sum of its partitions, and the oldest of all. */
export async function readWholeBacklog(partitions: readonly QueueStore[]): Promise<Backlog> {
  return (await Promise.all(partitions.map(readBacklog))).reduce(together);
}

/** Two partitions of one queue. */
export function together(a: Backlog, b: Backlog): Backlog {
  const jobs = { ...a.jobs };
  for (const state of jobStates) jobs[state] += b.jobs[state];
  return {
    jobs,
    // Each worker claims from all partitions.
    workers: Math.max(a.workers, b.workers),
    oldestWaitingMs: Math.max(a.oldestWaitingMs, b.oldestWaitingMs),
    doubts: a.doubts + b.doubts,
    oldestDoubtMs: Math.max(a.oldestDoubtMs, b.oldestDoubtMs),
    isPaused: a.isPaused || b.isPaused,
    isLimited: a.isLimited || b.isLimited,
    isAtLimit: a.isAtLimit || b.isAtLimit,
    quietWorkers: Math.max(a.quietWorkers, b.quietWorkers),
    isRamping: a.isRamping || b.isRamping,
  };
}
