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
/** So many reads are under way at a time, so that thousands of jobs do not hold up everybody else. */
const READS_MAX = 32;

export function openFollowedQueue(options: FollowedQueueOptions): FollowedQueue {
  const { client, prefix, queue, lookAgainMs, onDeserted } = options;
  const jobs = new Map<string, FollowedJob>();
  const sliceMs = Math.ceil(lookAgainMs / SLICES);
  let listening: Running | undefined;
  let lingering: NodeJS.Timeout | undefined;

  const lookAtDueJobs = unlessBusy(async () => {
    for (let due = dueJobs(jobs); due.length > 0; due = dueJobs(jobs)) await refreshInTurn(due);
  });

  function startListening(): Running {
    const reader = startEventReader({
      client,
      prefix,
      queue,
      onCaughtUp() {
        for (const job of jobs.values()) job.lookAt = 0;
        lookAtDueJobs();
      },
      onEvents(jobIds) {
        for (const id of jobIds) void jobs.get(id)?.refresh().catch(ignore);
      },
    });
    const slices = setInterval(lookAtDueJobs, sliceMs);
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
      if (job.followers === 0) jobs.delete(id);
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

function dueJobs(jobs: ReadonlyMap<string, FollowedJob>): FollowedJob[] {
  const now = performance.now();
  return [...jobs.values()].filter(({ lookAt }) => lookAt <= now);
}

async function refreshInTurn(jobs: readonly FollowedJob[]): Promise<void> {
  for (let from = 0; from < jobs.length; from += READS_MAX) {
    await Promise.allSettled(jobs.slice(from, from + READS_MAX).map((job) => job.refresh()));
  }
}

/** A failed read is made up for when the job is due again. */
function ignore() {}

/** Calls that come while the work is under way do nothing. */
function unlessBusy(work: () => Promise<void>): () => void {
  let isBusy = false;
  return () => {
    if (isBusy) return;
    isBusy = true;
    void work().finally(() => {
      isBusy = false;
    });
  };
}
