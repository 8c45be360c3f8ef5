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

/** What features add to one job. */
export interface JobExtras {
  /** What place-job.lua reads: JSON. */
  readonly json: string;
  /** What the job's options have besides. */
  readonly stored: Readonly<Record<string, unknown>>;
}

/** When and how urgently a job runs. */
export interface Timing {
  /** Milliseconds until it may run. */
  readonly delayMs: number;
  /** 0: none; else 1 (first) to `PRIORITY_MAX` (last), all behind the jobs without priority. */
  readonly priority: number;
  /** If no worker has begun it by then, it ends as expired. Milliseconds since 1970; undefined: it never expires. */
  readonly startBy?: number | undefined;
}

export interface Deduplication {
  /** Hash of the job's type and idempotency key. */
  readonly key: string;
  /** Milliseconds for which the job keeps the key, whatever becomes of it. */
  readonly holdMs: number;
}
