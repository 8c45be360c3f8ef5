import { isDeepStrictEqual } from "node:util";
import type { JobStatus } from "./job-status.ts";
import type { ReadStatus } from "./read-status.ts";

/** Told when a job's status has changed; undefined when the job is gone. */
export type StatusListener = (status: JobStatus | undefined) => void;

/** What a follower wants to hear of. Where nobody wants more than the end, a job is not read each time something happens. */
export type Interest = "everything" | "end";

export interface SubscribedJobOptions {
  /** Reads the job's status; must end in time. */
  readonly read: ReadStatus;
  /** Milliseconds after which it is read again although nothing was heard, more or less: jobs must not keep in step. */
  readonly lookAgainMs: number;
  /** Milliseconds after a read that failed. */
  readonly retryMs: number;
}

/**
 * One job, for all who follow it: they share each read of its status.
 *
 * A class, and few objects: thousands are followed at a time, for long, and each round of the garbage collector visits all that
 * is kept for them.
 */
export class SubscribedJob {
  readonly id: string;
  readonly listeners = new Set<StatusListener>();
  /** How many follow it, those included that wait for a first status, by what they want to hear of. */
  readonly subscribers: Record<Interest, number> = { everything: 0, end: 0 };
  /** When to look again although nothing was heard, as `performance.now()` counts. */
  lookAt = Number.POSITIVE_INFINITY;
  readonly #options: SubscribedJobOptions;
  #status: JobStatus | undefined;
  #current: Promise<JobStatus | undefined> | undefined;
  #next: Promise<JobStatus | undefined> | undefined;

  constructor(id: string, options: SubscribedJobOptions) {
    this.id = id;
    this.#options = options;
  }

  /** As it was read last. The same object as long as nothing changes. */
  get status(): JobStatus | undefined {
    return this.#status;
  }

  /**
   * Reads the status, and tells the listeners if it has changed.
   *
   * Calls that come while a read is under way share one more, which begins after it.
   */
  refresh(): Promise<JobStatus | undefined> {
    if (this.#next !== undefined) return this.#next;
    if (this.#current === undefined) return this.#run();
    const run = () => this.#run();
    this.#next = this.#current.then(run, run);
    return this.#next;
  }

  #run(): Promise<JobStatus | undefined> {
    this.#next = undefined;
    this.#current = this.#readAndTell().finally(() => {
      this.#current = undefined;
    });
    return this.#current;
  }

  async #readAndTell(): Promise<JobStatus | undefined> {
    const { read, lookAgainMs, retryMs } = this.#options;
    this.lookAt = performance.now() + retryMs;
    const found = await read(this.id);
    this.lookAt = performance.now() + lookAgainMs * (0.75 + Math.random() / 2);
    if (isDeepStrictEqual(found, this.#status)) return this.#status;
    this.#status = found;
    for (const listener of [...this.listeners]) listener(found);
    return found;
  }
}
