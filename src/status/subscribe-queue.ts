import { type Running, stopOnce } from "../lib/running.ts";
import { startEventReader } from "../queue/event-reader.ts";
import type { QueueStore } from "../queue/queue-store.ts";
import { inTime } from "../redis/redis-errors.ts";
import type { ReadStatus } from "./read-status.ts";
import { type Interest, SubscribedJob } from "./subscribe-job.ts";

export interface SubscribedQueueOptions {
  readonly store: QueueStore;
  readonly readStatus: ReadStatus;
  /** Milliseconds after which a followed job of which nothing was heard is looked at again. */
  readonly lookAgainMs: number;
  /** Nobody has followed a job of this queue for a while. */
  readonly onIdle: () => void;
}

/** The followed jobs of one queue, with one reader of events for all of them. */
export interface SubscribedQueue extends Running {
  /** The job's, for one more follower. */
  enter(id: string, interest: Interest): SubscribedJob;
  leave(job: SubscribedJob, interest: Interest): void;
  /** Reads events from now on, and looks at every followed job once it does. */
  listen(): void;
}

/** Followers come and go; a connection is not opened for each. */
const LINGER_MS = 5_000;
/** In how many slices all jobs are looked at again. */
const SLICES = 60;
/** So many reads are under way at a time: what a thousand jobs have to tell must not hold up everybody else. */
const READS_MAX = 8;

export function openSubscribedQueue(options: SubscribedQueueOptions): SubscribedQueue {
  const { store, readStatus, lookAgainMs, onIdle } = options;
  const jobs = new Map<string, SubscribedJob>();
  const sliceMs = Math.ceil(lookAgainMs / SLICES);
  const reading = { read: (id: string) => inTime(readStatus(id)), lookAgainMs, retryMs: sliceMs };
  let listening: Running | undefined;
  let inGrace: NodeJS.Timeout | undefined;

  const line = createReadingLine();

  function lookAtDue(now: number): void {
    line.add([...jobs.values()].filter(({ lookAt }) => lookAt <= now));
  }

  function hear(events: ReadonlyMap<string, boolean>): void {
    for (const [id, mayHaveEnded] of events) {
      const job = jobs.get(id);
      if (job !== undefined && (mayHaveEnded || job.subscribers.everything > 0)) line.add([job]);
    }
  }

  function startListening(): Running {
    const reader = startEventReader({
      store,
      onCaughtUp: () => line.add(jobs.values()),
      onEvents: hear,
    });
    const slices = setInterval(() => lookAtDue(performance.now()), sliceMs);
    return {
      stop() {
        clearInterval(slices);
        return reader.stop();
      },
    };
  }

  return {
    enter(id, interest) {
      clearTimeout(inGrace);
      const job = jobs.get(id) ?? new SubscribedJob(id, reading);
      jobs.set(id, job);
      job.subscribers[interest] += 1;
      return job;
    },
    leave(job, interest) {
      job.subscribers[interest] -= 1;
      if (job.subscribers.everything + job.subscribers.end > 0) return;
      jobs.delete(job.id);
      line.remove(job);
      if (jobs.size > 0) return;
      if (listening === undefined) onIdle();
      else inGrace = setTimeout(onIdle, LINGER_MS);
    },
    listen() {
      listening ??= startListening();
    },
    stop: stopOnce(async () => {
      clearTimeout(inGrace);
      await listening?.stop();
    }),
  };
}

/** Jobs that are read one after the other, a few at a time. */
function createReadingLine() {
  const waiting = new Set<SubscribedJob>();
  let reads = 0;

  function readOn(): void {
    for (const job of waiting) {
      if (reads === READS_MAX) return;
      waiting.delete(job);
      reads += 1;
      // A read that fails is made up for when the job is due again.
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
