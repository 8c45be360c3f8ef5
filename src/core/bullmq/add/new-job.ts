import type { RetryPolicy } from "../../job/retry-policy.ts";
import type { NewEnvelope } from "./envelope.ts";

/** BullMQ's limit. */
export const PRIORITY_MAX = 2_097_151;

/** A job about to be enqueued. */
export interface NewJob {
  readonly id: string;
  readonly type: string;
  readonly envelope: NewEnvelope;
  readonly retry: RetryPolicy;
  readonly timing: Timing;
  /** Context of the trace that its attempts join; undefined where nothing is traced. */
  readonly trace: string | undefined;
  readonly dedup: Deduplication;
  /** What only some jobs have. */
  readonly extras?: JobExtras | undefined;
}

/** As place-job.lua reads it. */
export interface JobExtras {
  /** Undefined: it runs beside any other. */
  readonly lane?: Lane | undefined;
  /** Undefined: none. */
  readonly tags?: readonly string[] | undefined;
}

/** The jobs of one concurrency key. */
export interface Lane {
  /** Hash of the key, in letters and digits. */
  readonly hash: string;
  /** How many of its jobs may be under way at a time. */
  readonly limit: number;
}

/** When and how urgently a job runs. */
export interface Timing {
  /** Milliseconds until it may run. */
  readonly delayMs: number;
  /** 0: none; else 1 (first) to `PRIORITY_MAX` (last), all behind the jobs without priority. */
  readonly priority: number;
  /** If no worker has begun it by then, it ends as expired. Milliseconds since 1970; undefined: it never expires. */
  readonly startBy?: number | undefined;
  /** Whose turn it takes among the jobs of its priority, which must not be 0. Undefined: first come, first served. */
  readonly turn?: Turn | undefined;
}

export interface Turn {
  /** Hash of the tenant's name, in letters and digits. */
  readonly tenant: string;
  /** Rounds between two of the tenant's jobs: 1 / weight. */
  readonly rounds: number;
}

export interface Deduplication {
  /** Hash of the job's type and idempotency key. */
  readonly key: string;
  /** Milliseconds for which the job keeps the key, whatever becomes of it. */
  readonly holdMs: number;
}
