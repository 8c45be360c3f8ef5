import type { Job } from "bullmq";
import type { EndedAttempt, HistoryOutcome } from "../../../features/history/history-counts.ts";
import type { ErrorCode } from "../../../platform/errors/error-codes.ts";
import type { AttemptOutcome, ClaimedJob } from "./claimed-job.ts";

export function endedAttempt(
  claimed: ClaimedJob,
  job: Job,
  outcome: AttemptOutcome,
  runMs: number,
): EndedAttempt {
  const { type, readyAt } = claimed;
  const waitedMs = readyAt === undefined ? undefined : (job.processedOn ?? readyAt) - readyAt;
  return { type, outcome: historyOutcome(job, outcome), waitedMs, runMs };
}

const unlikeFailed: Readonly<Partial<Record<ErrorCode, HistoryOutcome>>> = {
  EFFECT_IN_DOUBT: "inDoubt",
  EXPIRED: "expired",
  CANCELLED: "cancelled",
};

function historyOutcome({ attemptsMade, opts }: Job, outcome: AttemptOutcome): HistoryOutcome {
  if (outcome.kind !== "failed") return outcome.kind;
  const { code, retryable } = outcome.failure;
  if (retryable && attemptsMade + 1 < (opts.attempts ?? 1)) return "retried";
  return unlikeFailed[code] ?? "failed";
}
