import type { JobStatus } from "./job-status.ts";

/** Told when a job's status has changed; undefined when the job is gone. */
export type StatusListener = (status: JobStatus | undefined) => void;

/** What a follower wants to hear of. Where nobody wants more than states, a job is not read each time it tells progress. */
export type Interest = "everything" | "states";

/** One job, for all who follow it: they share each read of its status. */
export interface FollowedJob {
  readonly listeners: Set<StatusListener>;
  /** How many follow it, those included that wait for a first status, by what they want to hear of. */
  readonly followers: Record<Interest, number>;
  /** As it was read last. The same object as long as nothing changes. */
  readonly status: JobStatus | undefined;
  /** When to look again although nothing was heard, as `performance.now()` counts. */
  lookAt: number;
  /**
   * Reads the status, and tells the listeners if it has changed.
   *
   * Calls that come while a read is under way share one more, which begins after it.
   */
  refresh(): Promise<JobStatus | undefined>;
}

export interface FollowedJobOptions {
  /** Reads the job's status; must end in time. */
  readonly read: () => Promise<JobStatus | undefined>;
  /** Milliseconds after which it is read again although nothing was heard, more or less: jobs must not keep in step. */
  readonly lookAgainMs: number;
  /** Milliseconds after a read that failed. */
  readonly retryMs: number;
}

export function createFollowedJob({ read, lookAgainMs, retryMs }: FollowedJobOptions): FollowedJob {
  const listeners = new Set<StatusListener>();
  let status: JobStatus | undefined;
  let known: string | undefined | null = null;

  async function readAndTell(): Promise<JobStatus | undefined> {
    job.lookAt = performance.now() + retryMs;
    const found = await read();
    job.lookAt = performance.now() + lookAgainMs * (0.75 + Math.random() / 2);
    const text = JSON.stringify(found);
    if (text === known) return status;
    [status, known] = [found, text];
    for (const listener of [...listeners]) listener(status);
    return status;
  }

  const job: FollowedJob = {
    listeners,
    followers: { everything: 0, states: 0 },
    lookAt: Number.POSITIVE_INFINITY,
    get status() {
      return status;
    },
    refresh: oneAtATime(readAndTell),
  };
  return job;
}

/** Calls that come while the work is under way share one more run of it, which begins after it. */
function oneAtATime<T>(work: () => Promise<T>): () => Promise<T> {
  let current: Promise<T> | undefined;
  let next: Promise<T> | undefined;
  const run = () => {
    next = undefined;
    current = work().finally(() => {
      current = undefined;
    });
    return current;
  };
  return () => {
    if (next !== undefined) return next;
    if (current === undefined) return run();
    next = current.then(run, run);
    return next;
  };
}
