import type { AttemptOutcome, ClaimedJob } from "../../core/bullmq/claim/claimed-job.ts";
import type { ErrorCode } from "../../platform/errors/error-codes.ts";
import type { EndedAttempt, HistoryOutcome } from "./history-counts.ts";

/** What an attempt's outcome means for its job. */
export function endedAttempt(job: ClaimedJob, outcome: AttemptOutcome, runMs: number): EndedAttempt {
  const { readyAt, startedAt } = job;
  // A job that was due may have been submitted anew.
  const waitedMs = readyAt === undefined ? undefined : Math.max(0, startedAt - readyAt);
  return { outcome: endingOf(job, outcome), waitedMs, runMs };
}

const unlikeFailed: Readonly<Partial<Record<ErrorCode, HistoryOutcome>>> = {
  EFFECT_IN_DOUBT: "inDoubt",
  EXPIRED: "expired",
  CANCELLED: "cancelled",
};

function endingOf({ attemptsMade, maxAttempts }: ClaimedJob, outcome: AttemptOutcome): HistoryOutcome {
  if (outcome.kind !== "failed") return outcome.kind;
  const { code, retryable } = outcome.failure;
  if (retryable && attemptsMade + 1 < maxAttempts) return "retried";
  return unlikeFailed[code] ?? "failed";
}
