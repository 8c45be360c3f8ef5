import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { type Running, stopAll, stopOnce } from "../../platform/lib/running.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";
import type { QueueStores } from "../bullmq/store/queue-store.ts";
import { jobNotFound, parseJobId } from "../job/job-id.ts";
import { hasEnded, type JobStatus } from "../job/job-status.ts";
import { openStatusReader } from "./read-status.ts";
import type { Interest, StatusListener } from "./subscribed-job.ts";
import { openSubscribedQueue, type SubscribedQueue } from "./subscribed-queue.ts";

export interface SubscribersOptions {
  /** How many subscribers there may be at a time. */
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
      const name = parseJobId(id)?.queue;
      if (name === undefined) throw jobNotFound();
      return await subscribe(queues.of(name), { id, interest, listener, onLeave: admit() });
    },
    stop: queues.stop,
  };
}

interface NewSubscription {
  readonly id: string;
  readonly interest: Interest;
  readonly listener: StatusListener;
  readonly onLeave: () => void;
}

async function subscribe(
  queue: SubscribedQueue,
  { id, interest, listener, onLeave }: NewSubscription,
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
      const queue = openSubscribedQueue({ store: stores.of(name), readStatus, lookAgainMs, onIdle });
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
