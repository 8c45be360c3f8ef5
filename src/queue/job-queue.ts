import { Queue } from "bullmq";
import type { Backoff } from "../contract/retry-policy.ts";
import { type Running, stopOnce } from "../service/running.ts";
import type { StoreClient } from "../store/client.ts";
import { bullmqQueueName } from "../store/keys.ts";
import type { JobEnvelope } from "./envelope.ts";

/** A job about to be enqueued. */
export interface NewJob {
  readonly id: string;
  readonly type: string;
  readonly envelope: JobEnvelope;
  readonly attempts: number;
  readonly backoff: Backoff;
  /** Milliseconds until it may run. */
  readonly delayMs: number;
  /** 0: none; else 1 (first) to 2,097,151 (last), all behind the jobs without priority. */
  readonly priority: number;
  /** Hash of the job's type and idempotency key. */
  readonly claim: string;
  /** Milliseconds for which the claim holds, whatever becomes of the job. */
  readonly claimMs: number;
}

/** The producer's side of one queue. */
export interface JobQueue extends Running {
  /**
   * Enqueues a job unless its claim is held, in one atomic step of the store.
   *
   * @returns the id of the job that holds the claim: the new job's own, or that of the first one
   */
  add(job: NewJob): Promise<string>;
}

/** Events are for followers, not a record: this many are kept per queue. */
const EVENTS_MAX = 10_000;

export function openQueue(prefix: string, name: string, connection: StoreClient): JobQueue {
  const queue = new Queue<JobEnvelope, unknown, string>(bullmqQueueName(name), {
    prefix,
    connection,
    streams: { events: { maxLen: EVENTS_MAX } },
  });
  // The connection's owner hears of its errors; without a listener here BullMQ would print them.
  queue.on("error", () => {});
  return {
    async add(job) {
      const added = await queue.add(job.type, job.envelope, jobOptions(job));
      return added.id ?? job.id;
    },
    stop: stopOnce(() => queue.close()),
  };
}

function jobOptions({ id, attempts, backoff, delayMs, priority, claim, claimMs }: NewJob) {
  return {
    jobId: id,
    attempts,
    backoff: bullmqBackoff(backoff),
    deduplication: { id: claim, ttl: claimMs },
    ...(delayMs > 0 && { delay: delayMs }),
    ...(priority > 0 && { priority }),
  };
}

function bullmqBackoff(backoff: Backoff) {
  const { kind: type, delayMs: delay } = backoff;
  return backoff.kind === "exponential" ? { type, delay, jitter: backoff.jitter ?? 0 } : { type, delay };
}
