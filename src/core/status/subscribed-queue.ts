import { type Running, stopOnce } from "../../platform/lib/running.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";
import { startEventReader } from "../bullmq/store/event-reader.ts";
import type { QueueStore } from "../bullmq/store/queue-store.ts";
import type { ReadStatus } from "./read-status.ts";
import { type Interest, SubscribedJob } from "./subscribed-job.ts";

export interface SubscribedQueueOptions {
  readonly store: QueueStore;
  readonly readStatus: ReadStatus;
  /** Milliseconds after which a job without events is read again. */
  readonly lookAgainMs: number;
  /** Called when nobody has subscribed to a job of this queue for a while. */
  readonly onIdle: () => void;
}

/** The subscribed jobs of one queue, with one reader of events for all of them. */
export interface SubscribedQueue extends Running {
  /** Adds a subscriber. */
  enter(id: string, interest: Interest): SubscribedJob;
  leave(job: SubscribedJob, interest: Interest): void;
  /** Reads events from now on, and then every subscribed job once. */
  listen(): void;
}

/** Subscribers come and go; not each one opens a connection. */
const GRACE_MS = 5_000;
/** All jobs are read again in this many slices. */
const SLICES = 60;
/** Reads at a time: a thousand jobs must not delay everybody else. */
const READS_MAX = 8;

export function openSubscribedQueue(options: SubscribedQueueOptions): SubscribedQueue {
  const { store, readStatus, lookAgainMs, onIdle } = options;
  const jobs = new Map<string, SubscribedJob>();
  const reads = createReadQueue();
  const sliceMs = Math.ceil(lookAgainMs / SLICES);
  const reading = { read: (id: string) => inTime(readStatus(id)), lookAgainMs, retryMs: sliceMs };
  let listening: Running | undefined;
  let grace: NodeJS.Timeout | undefined;

  return {
    enter(id, interest) {
      clearTimeout(grace);
      const job = jobs.get(id) ?? new SubscribedJob(id, reading);
      jobs.set(id, job);
      job.subscribers[interest] += 1;
      return job;
    },
    leave(job, interest) {
      job.subscribers[interest] -= 1;
      if (job.subscribers.everything + job.subscribers.end > 0) return;
      jobs.delete(job.id);
      reads.remove(job);
      if (jobs.size > 0) return;
      if (listening === undefined) onIdle();
      else grace = setTimeout(onIdle, GRACE_MS);
    },
    listen() {
      listening ??= startListening(store, jobs, reads, sliceMs);
    },
    stop: stopOnce(async () => {
      clearTimeout(grace);
      await listening?.stop();
    }),
  };
}

/** Reads jobs at their events, and each job now and then without one. */
function startListening(
  store: QueueStore,
  jobs: ReadonlyMap<string, SubscribedJob>,
  reads: ReadQueue,
  sliceMs: number,
): Running {
  const reader = startEventReader({
    store,
    onCaughtUp: () => reads.add(jobs.values()),
    onEvents(events) {
      for (const [id, mayHaveEnded] of events) {
        const job = jobs.get(id);
        if (job !== undefined && (mayHaveEnded || job.subscribers.everything > 0)) reads.add([job]);
      }
    },
  });
  const timer = setInterval(() => {
    const now = performance.now();
    reads.add([...jobs.values()].filter(({ lookAt }) => lookAt <= now));
  }, sliceMs);
  return {
    stop() {
      clearInterval(timer);
      return reader.stop();
    },
  };
}

type ReadQueue = ReturnType<typeof createReadQueue>;

/** Jobs waiting to be read, a few at a time. */
function createReadQueue() {
  const waiting = new Set<SubscribedJob>();
  let reads = 0;

  function readOn(): void {
    for (const job of waiting) {
      if (reads === READS_MAX) return;
      waiting.delete(job);
      reads += 1;
      // A failed read is repeated when the job is due again.
      void Promise.allSettled([job.refresh()]).then(() => {
        reads -= 1;
        readOn();
      });
    }
  }

  return {
    add(jobs: Iterable<SubscribedJob>): void {
      for (const job of jobs) waiting.add(job);
      readOn();
    },
    remove: (job: SubscribedJob) => void waiting.delete(job),
  };
}
