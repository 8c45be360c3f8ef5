import { isDeepStrictEqual } from "node:util";
import type { QueueStore, QueueStores } from "../../core/bullmq/store/queue-store.ts";
import { jobNotFound, queueOfId } from "../../core/job/job-id.ts";
import { hasEnded, type JobStatus } from "../../core/job/job-status.ts";
import type { StatusReader } from "../../core/status/read-status.ts";
import { startEventReader } from "../../desk/jobs/job-events.ts";
import { openStatusReader } from "../../features/job-status.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { type Running, stopAll, stopOnce } from "../../platform/lib/running.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";

interface SubscribersOptions {
  readonly max: number;
  /** Milliseconds after which a job without events is read again. @default 60000 */
  readonly lookAgainMs?: number;
}

/** All subscribers of this process. Those of one queue's jobs share one connection. */
export interface Subscribers extends Running {
  readonly count: number;
  readonly isFull: boolean;
  /**
   * Reads a job's status, and subscribes to later ones.
   *
   * @param listener called for each later change of interest, perhaps for more
   * @throws HoldfastError `JOB_NOT_FOUND`, `STORE_UNAVAILABLE`, `TOO_MANY_SUBSCRIBERS`
   */
  subscribe(id: string, interest: Interest, listener: StatusListener): Promise<Subscription>;
  /**
   * Counts a subscriber of something other than a job.
   *
   * @returns uncounts it; safe to call twice
   * @throws HoldfastError `TOO_MANY_SUBSCRIBERS`
   */
  admit(): () => void;
}

export interface Subscription {
  /** The status of the latest read; undefined once the job is gone. */
  readonly status: JobStatus | undefined;
  /**
   * Reads the status now. Concurrent callers share one read.
   *
   * @throws HoldfastError `STORE_UNAVAILABLE`
   */
  refresh(): Promise<JobStatus | undefined>;
  /** Ends the subscription. Safe to call twice. */
  leave(): void;
}

/** For changes without events, e.g. of effects. */
const LOOK_AGAIN_MS = 60_000;
const RETRY_AFTER_MS = 5_000;

export function openSubscribers(
  stores: QueueStores,
  { max, lookAgainMs = LOOK_AGAIN_MS }: SubscribersOptions,
): Subscribers {
  const queues = subscribedQueues(stores, lookAgainMs);
  let count = 0;

  function admit(): () => void {
    if (count >= max) throw tooMany();
    count += 1;
    return once(() => {
      count -= 1;
    });
  }

  return {
    get count() {
      return count;
    },
    get isFull() {
      return count >= max;
    },
    admit,
    async subscribe(id, interest, listener) {
      const name = queueOfId(id);
      if (name === undefined) throw jobNotFound();
      return await subscribe(queues.of(name), id, interest, listener, admit());
    },
    stop: queues.stop,
  };
}

async function subscribe(
  queue: SubscribedQueue,
  id: string,
  interest: Interest,
  listener: StatusListener,
  onLeave: () => void,
): Promise<Subscription> {
  const job = queue.enter(id, interest);
  const leave = once(() => {
    job.listeners.delete(listener);
    queue.leave(job, interest);
    onLeave();
  });
  try {
    const status = await inTime(job.refresh());
    if (status === undefined) throw jobNotFound();
    // Only for jobs that exist: ids name queues, and anybody can make up an id. Nothing is missed until the reader has caught up,
    // because it reads every job then.
    if (!hasEnded(status)) queue.listen();
  } catch (error) {
    leave();
    throw error;
  }
  job.listeners.add(listener);
  return {
    get status() {
      return job.status;
    },
    refresh: () => inTime(job.refresh()),
    leave,
  };
}

/** A queue is open while somebody subscribes to its jobs, and a while after. */
function subscribedQueues(stores: QueueStores, lookAgainMs: number) {
  const readStatus = openStatusReader(stores);
  const queues = new Map<string, SubscribedQueue>();
  return {
    of(name: string): SubscribedQueue {
      const known = queues.get(name);
      if (known !== undefined) return known;
      const onIdle = () => {
        queues.delete(name);
        void queue.stop();
      };
      const queue = openSubscribedQueue(stores.of(name), readStatus, lookAgainMs, onIdle);
      queues.set(name, queue);
      return queue;
    },
    stop: stopOnce(() => stopAll([...queues.values()])),
  };
}

function once(run: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) run();
    isDone = true;
  };
}

function tooMany(): HoldfastError {
  return new HoldfastError("TOO_MANY_SUBSCRIBERS", "This process has as many subscribers as it may have", {
    retryAfterMs: RETRY_AFTER_MS,
  });
}

type SubscribedQueue = ReturnType<typeof openSubscribedQueue>;

/** Subscribers come and go; not each one opens a connection. */
const GRACE_MS = 5_000;
/** All jobs are read again in this many slices. */
const SLICES = 60;
/** Reads at a time: a thousand jobs must not delay everybody else. */
const READS_MAX = 8;

/**
 * The subscribed jobs of one queue, with one reader of events for all of them.
 *
 * @param lookAgainMs milliseconds after which a job without events is read again
 * @param onIdle called when nobody has subscribed to a job of this queue for a while
 */
function openSubscribedQueue(
  store: QueueStore,
  readStatus: StatusReader,
  lookAgainMs: number,
  onIdle: () => void,
) {
  const jobs = new Map<string, SubscribedJob>();
  const reads = createReadQueue();
  const sliceMs = Math.ceil(lookAgainMs / SLICES);
  const reading = { read: (id: string) => inTime(readStatus(id)), lookAgainMs, retryMs: sliceMs };
  let listening: Running | undefined;
  let grace: NodeJS.Timeout | undefined;

  return {
    enter(id: string, interest: Interest): SubscribedJob {
      clearTimeout(grace);
      const job = jobs.get(id) ?? new SubscribedJob(id, reading);
      jobs.set(id, job);
      job.subscribers[interest] += 1;
      return job;
    },
    leave(job: SubscribedJob, interest: Interest): void {
      job.subscribers[interest] -= 1;
      if (job.subscribers.everything + job.subscribers.end > 0) return;
      jobs.delete(job.id);
      reads.remove(job);
      if (jobs.size > 0) return;
      if (listening === undefined) onIdle();
      else grace = setTimeout(onIdle, GRACE_MS);
    },
    /** Reads events from now on, and then every subscribed job once. */
    listen(): void {
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

/** Called when a job's status has changed; with undefined when the job is gone. */
export type StatusListener = (status: JobStatus | undefined) => void;

/** What a subscriber waits for. If all wait for the end only, a job is not read at each event. */
export type Interest = "everything" | "end";

interface SubscribedJobOptions {
  /** Reads the job's status; must end in time. */
  readonly read: StatusReader;
  /** About how many milliseconds after a read without events it is read again; varied, so that jobs do not keep in step. */
  readonly lookAgainMs: number;
  /** Milliseconds after a read that failed. */
  readonly retryMs: number;
}

/** One job with all its subscribers: they share each read of its status. */
class SubscribedJob {
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
