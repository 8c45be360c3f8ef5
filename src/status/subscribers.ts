import { HoldfastError } from "../errors/holdfast-error.ts";
import { jobNotFound, parseJobId } from "../job/job-id.ts";
import { type Running, stopAll, stopOnce } from "../lib/running.ts";
import type { QueueStores } from "../queue/queue-store.ts";
import { inTime } from "../redis/redis-errors.ts";
import { hasEnded, type JobStatus } from "./job-status.ts";
import { openStatusReader } from "./read-status.ts";
import type { Interest, StatusListener, SubscribedJob } from "./subscribe-job.ts";
import { openSubscribedQueue, type SubscribedQueue } from "./subscribe-queue.ts";

export interface SubscribersOptions {
  /** How many may follow at a time. */
  readonly max: number;
  /** Milliseconds after which a followed job of which nothing was heard is read again. @default 60000 */
  readonly lookAgainMs?: number;
}

/** Everyone in this process who follows something. One connection for each followed queue serves all who follow jobs. */
export interface Subscribers extends Running {
  readonly count: number;
  readonly isFull: boolean;
  /**
   * Follows a job from a first status on.
   *
   * @param listener told of each later change that is of interest, perhaps of more
   * @throws HoldfastError `JOB_NOT_FOUND`, `STORE_UNAVAILABLE`, `TOO_MANY_FOLLOWERS`
   */
  follow(id: string, interest: Interest, listener: StatusListener): Promise<Subscription>;
  /**
   * Counts in somebody who follows something other than a job.
   *
   * @returns counts it out again; safe to call twice
   * @throws HoldfastError `TOO_MANY_FOLLOWERS`
   */
  admit(): () => void;
}

/** One follower's tie to its job. */
export interface Subscription {
  /** As it was read last; undefined once the job is gone. */
  readonly status: JobStatus | undefined;
  /**
   * Reads it now, in one read with everyone else who asks.
   *
   * @throws HoldfastError `STORE_UNAVAILABLE`
   */
  refresh(): Promise<JobStatus | undefined>;
  /** Ends it; the listener hears no more. Safe to call twice. */
  leave(): void;
}

/** Missed events are noticed at once; this is for changes that are none, e.g. of effects. */
const LOOK_AGAIN_MS = 60_000;
const RETRY_AFTER_MS = 5_000;

export function openSubscribers(stores: QueueStores, options: SubscribersOptions): Subscribers {
  const { max, lookAgainMs = LOOK_AGAIN_MS } = options;
  const readStatus = openStatusReader(stores);
  const queues = new Map<string, SubscribedQueue>();
  let count = 0;

  function queueOf(name: string): SubscribedQueue {
    const known = queues.get(name);
    if (known !== undefined) return known;
    const onIdle = () => {
      queues.delete(name);
      void queue.stop();
    };
    const queue = openSubscribedQueue({ store: stores.of(name), readStatus, lookAgainMs, onIdle });
    queues.set(name, queue);
    return queue;
  }

  function countIn(): void {
    if (count >= max) throw tooMany();
    count += 1;
  }

  function countOut(): void {
    count -= 1;
  }

  return {
    get count() {
      return count;
    },
    get isFull() {
      return count >= max;
    },
    admit() {
      countIn();
      let isGone = false;
      return () => {
        if (!isGone) countOut();
        isGone = true;
      };
    },
    async follow(id, interest, listener) {
      const name = parseJobId(id)?.queue;
      if (name === undefined) throw jobNotFound();
      countIn();
      const queue = queueOf(name);
      const subscriber = new Subscriber(queue, queue.enter(id, interest), interest, listener, countOut);
      try {
        // A read that is under way already is waited for as well.
        const status = await subscriber.refresh();
        if (status === undefined) throw jobNotFound();
        // Not before the job is known to exist: ids name queues, and anybody can make up an id. What happens until the
        // reader has caught up is not missed: then it is looked at again.
        if (!hasEnded(status)) queue.listen();
      } catch (error) {
        subscriber.leave();
        throw error;
      }
      subscriber.listen();
      return subscriber;
    },
    stop: stopOnce(() => stopAll([...queues.values()])),
  };
}

/** A class for the same reason as `FollowedJob` is one. */
class Subscriber implements Subscription {
  readonly #queue: SubscribedQueue;
  readonly #job: SubscribedJob;
  readonly #interest: Interest;
  readonly #listener: StatusListener;
  readonly #countOut: () => void;
  #isGone = false;

  constructor(
    queue: SubscribedQueue,
    job: SubscribedJob,
    interest: Interest,
    listener: StatusListener,
    countOut: () => void,
  ) {
    this.#queue = queue;
    this.#job = job;
    this.#interest = interest;
    this.#listener = listener;
    this.#countOut = countOut;
  }

  get status(): JobStatus | undefined {
    return this.#job.status;
  }

  refresh(): Promise<JobStatus | undefined> {
    return inTime(this.#job.refresh());
  }

  listen(): void {
    this.#job.listeners.add(this.#listener);
  }

  leave(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#job.listeners.delete(this.#listener);
    this.#queue.leave(this.#job, this.#interest);
    this.#countOut();
  }
}

function tooMany(): HoldfastError {
  return new HoldfastError("TOO_MANY_FOLLOWERS", "Too many clients follow what goes on here just now", {
    retryAfterMs: RETRY_AFTER_MS,
  });
}
