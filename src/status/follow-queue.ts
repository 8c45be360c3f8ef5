import { startEventReader } from "../queue/event-reader.ts";
import { type Running, stopOnce } from "../service/running.ts";
import type { StoreClient } from "../store/client.ts";
import { inTime } from "../store/fault.ts";
import { FollowedJob, type Interest } from "./follow-job.ts";
import type { ReadStatus } from "./read-status.ts";

export interface FollowedQueueOptions {
  readonly client: StoreClient;
  readonly prefix: string;
  readonly queue: string;
  readonly readStatus: ReadStatus;
  /** Milliseconds after which a followed job of which nothing was heard is looked at again. */
  readonly lookAgainMs: number;
  /** Nobody has followed a job of this queue for a while. */
  readonly onDeserted: () => void;
}

/** The followed jobs of one queue, with one reader of events for all of them. */
export interface FollowedQueue extends Running {
  /** The job's, for one more follower. */
  enter(id: string, interest: Interest): FollowedJob;
  leave(job: FollowedJob, interest: Interest): void;
  /** Reads events from now on, and looks at every followed job once it does. */
  listen(): void;
}

/** Followers come and go; a connection is not opened for each. */
const LINGER_MS = 5_000;
/** In how many slices all jobs are looked at again. */
const SLICES = 60;
/** So many reads are under way at a time: what a thousand jobs have to tell must not hold up everybody else. */
const READS_MAX = 8;

export function openFollowedQueue(options: FollowedQueueOptions): FollowedQueue {
  const { client, prefix, queue, readStatus, lookAgainMs, onDeserted } = options;
  const jobs = new Map<string, FollowedJob>();
  const sliceMs = Math.ceil(lookAgainMs / SLICES);
  const reading = { read: (id: string) => inTime(readStatus(id)), lookAgainMs, retryMs: sliceMs };
  let listening: Running | undefined;
  let lingering: NodeJS.Timeout | undefined;

  const line = createReadingLine();

  function lookAtDue(now: number): void {
    line.add([...jobs.values()].filter(({ lookAt }) => lookAt <= now));
  }

  function hear(events: ReadonlyMap<string, boolean>): void {
    for (const [id, mayHaveEnded] of events) {
      const job = jobs.get(id);
      if (job !== undefined && (mayHaveEnded || job.followers.everything > 0)) line.add([job]);
    }
  }

  function startListening(): Running {
    const reader = startEventReader({
      client,
      prefix,
      queue,
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
      clearTimeout(lingering);
      const job = jobs.get(id) ?? new FollowedJob(id, reading);
      jobs.set(id, job);
      job.followers[interest] += 1;
      return job;
    },
    leave(job, interest) {
      job.followers[interest] -= 1;
      if (job.followers.everything + job.followers.end > 0) return;
      jobs.delete(job.id);
      line.remove(job);
      if (jobs.size > 0) return;
      if (listening === undefined) onDeserted();
      else lingering = setTimeout(onDeserted, LINGER_MS);
    },
    listen() {
      listening ??= startListening();
    },
    stop: stopOnce(async () => {
      clearTimeout(lingering);
      await listening?.stop();
    }),
  };
}

/** Jobs that are read one after the other, a few at a time. */
function createReadingLine() {
  const waiting = new Set<FollowedJob>();
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
    add(jobs: Iterable<FollowedJob>): void {
      for (const job of jobs) waiting.add(job);
      readOn();
    },
    remove: (job: FollowedJob) => void waiting.delete(job),
  };
}
