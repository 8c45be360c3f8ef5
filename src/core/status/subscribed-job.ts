import { isDeepStrictEqual } from "node:util";
import type { JobStatus } from "../job/job-status.ts";
import type { ReadStatus } from "./read-status.ts";

/** Called when a job's status has changed; with undefined when the job is gone. */
export type StatusListener = (status: JobStatus | undefined) => void;

/** What a subscriber waits for. If all wait for the end only, a job is not read at each event. */
export type Interest = "everything" | "end";

export interface SubscribedJobOptions {
  /** Reads the job's status; must end in time. */
  readonly read: ReadStatus;
  /** About how many milliseconds after a read without events it is read again; varied, so that jobs do not keep in step. */
  readonly lookAgainMs: number;
  /** Milliseconds after a read that failed. */
  readonly retryMs: number;
}

/** One job with all its subscribers: they share each read of its status. */
export class SubscribedJob {
  readonly id: string;
  readonly listeners = new Set<StatusListener>();
  /** How many subscribers it has, by interest. */
  readonly subscribers: Record<Interest, number> = { everything: 0, end: 0 };
  /** When to read it again without an event, on the clock of `performance.now()`. */
  lookAt = Number.POSITIVE_INFINITY;
  readonly #options: SubscribedJobOptions;
  #status: JobStatus | undefined;
  #current: Promise<JobStatus | undefined> | undefined;
  #next: Promise<JobStatus | undefined> | undefined;

  constructor(id: string, options: SubscribedJobOptions) {
    this.id = id;
    this.#options = options;
  }

  /** The status of the latest read. The same object while nothing changes. */
  get status(): JobStatus | undefined {
    return this.#status;
  }

  /** Reads the status, and notifies the listeners if it has changed. Calls during a read share one more read after it. */
  refresh(): Promise<JobStatus | undefined> {
    if (this.#next !== undefined) return this.#next;
    if (this.#current === undefined) return this.#run();
    const run = () => this.#run();
    this.#next = this.#current.then(run, run);
    return this.#next;
  }

  #run(): Promise<JobStatus | undefined> {
    this.#next = undefined;
    this.#current = this.#readAndNotify().finally(() => {
      this.#current = undefined;
    });
    return this.#current;
  }

  async #readAndNotify(): Promise<JobStatus | undefined> {
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
