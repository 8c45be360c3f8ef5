import type { Job } from "bullmq";
import type { ErrorCode } from "../../../platform/errors/error-codes.ts";
import type { AttemptOutcome, ClaimedJob } from "./claimed-job.ts";

/** How an attempt ended, and what that means for its job. */
export type AttemptEnding =
  | "completed"
  | "retried"
  | "failed"
  | "inDoubt"
  | "expired"
  | "cancelled"
  | "released"
  | "deferred";

/** An attempt that has ended. */
export interface EndedAttempt {
  readonly type: string;
  readonly outcome: AttemptEnding;
  /** From when the job could run to its first start, in milliseconds; undefined if it has run before. */
  readonly waitedMs: number | undefined;
  readonly runMs: number;
}

/** A job that has completed, or failed for good. */
export interface EndedJob {
  readonly id: string;
  /** What travels with the job. */
  readonly options: object;
}

export function endedAttempt(
  claimed: ClaimedJob,
  job: Job,
  outcome: AttemptOutcome,
  runMs: number,
): EndedAttempt {
  const { type, readyAt } = claimed;
  // A job that was due may have been submitted anew.
  const waitedMs = readyAt === undefined ? undefined : Math.max(0, (job.processedOn ?? readyAt) - readyAt);
  return { type, outcome: endingOf(job, outcome), waitedMs, runMs };
}

const unlikeFailed: Readonly<Partial<Record<ErrorCode, AttemptEnding>>> = {
  EFFECT_IN_DOUBT: "inDoubt",
  EXPIRED: "expired",
  CANCELLED: "cancelled",
};

function endingOf({ attemptsMade, opts }: Job, outcome: AttemptOutcome): AttemptEnding {
  if (outcome.kind !== "failed") return outcome.kind;
  const { code, retryable } = outcome.failure;
  if (retryable && attemptsMade + 1 < (opts.attempts ?? 1)) return "retried";
  return unlikeFailed[code] ?? "failed";
}
