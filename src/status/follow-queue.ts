import { startEventReader } from "../queue/event-reader.ts";
import { type Running, stopOnce } from "../service/running.ts";
import type { StoreClient } from "../store/client.ts";
import { inTime } from "../store/fault.ts";
import { createFollowedJob, type FollowedJob } from "./follow-job.ts";
import { readStatus } from "./read-status.ts";

export interface FollowedQueueOptions {
  readonly client: StoreClient;
  readonly prefix: string;
  readonly queue: string;
  /** Milliseconds after which a followed job of which nothing was heard is looked at again. */
  readonly lookAgainMs: number;
  /** Nobody has followed a job of this queue for a while. */
  readonly onDeserted: () => void;
}

/** The followed jobs of one queue, with one reader of events for all of them. */
export interface FollowedQueue extends Running {
  /** The job's, for one more follower. */
  enter(id: string): FollowedJob;
  leave(id: string): void;
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
  const { client, prefix, queue, lookAgainMs, onDeserted } = options;
  const jobs = new Map<string, FollowedJob>();
  const sliceMs = Math.ceil(lookAgainMs / SLICES);
  let listening: Running | undefined;
  let lingering: NodeJS.Timeout | undefined;

  /** Jobs to be read as soon as it is their turn. */
  const changed = new Set<FollowedJob>();
  let reads = 0;

  function readInTurn(): void {
    for (const job of changed) {
      if (reads === READS_MAX) return;
      changed.delete(job);
      reads += 1;
      // A read that fails is made up for when the job is due again.
      void Promise.allSettled([job.refresh()]).then(() => {
        reads -= 1;
        readInTurn();
      });
    }
  }

  function lookAtAll(now = Number.POSITIVE_INFINITY): void {
    for (const job of jobs.values()) if (job.lookAt <= now) changed.add(job);
    readInTurn();
  }

  function lookAt(ids: ReadonlySet<string>): void {
    for (const id of ids) {
      const job = jobs.get(id);
      if (job !== undefined) changed.add(job);
    }
    readInTurn();
  }

  function startListening(): Running {
    const reader = startEventReader({
      client,
      prefix,
      queue,
      onCaughtUp: () => lookAtAll(),
      onEvents: lookAt,
    });
    const slices = setInterval(() => lookAtAll(performance.now()), sliceMs);
    return {
      stop() {
        clearInterval(slices);
        return reader.stop();
      },
    };
  }

  return {
    enter(id) {
      clearTimeout(lingering);
      const read = () => inTime(readStatus(client, prefix, id));
      const job = jobs.get(id) ?? createFollowedJob({ read, lookAgainMs, retryMs: sliceMs });
      jobs.set(id, job);
      job.followers += 1;
      return job;
    },
    leave(id) {
      const job = jobs.get(id);
      if (job === undefined) return;
      job.followers -= 1;
      if (job.followers > 0) return;
      jobs.delete(id);
      changed.delete(job);
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
