import type { AttemptOutcome } from "../../core/bullmq/claim/claimed-job.ts";
import type { AttemptedJob, Events } from "../../core/events.ts";
import type { FeatureInWorker } from "../../core/feature.ts";
import type { Logger } from "../../platform/lib/logger.ts";
import type { Running } from "../../platform/lib/running.ts";

export const inWorker: FeatureInWorker = { inProcess: ({ events, log }) => [logAttempts(events, log)] };

const ends: Readonly<Record<Exclude<AttemptOutcome["kind"], "failed" | "deferred">, string>> = {
  completed: "attempt completed",
  released: "job released",
};

/**
 * Logs how attempts end: those that are retried at warn, those after which a job has failed at error, completed ones at debug, since they
 * would flood the log.
 */
export function logAttempts(events: Events, log: Logger): Partial<Running> {
  events.on("attempt.ended", (job, end, durationMs) => {
    const { id: jobId, type, attemptsMade } = job;
    const fields = { jobId, type, attempt: attemptsMade + 1, durationMs: Math.round(durationMs) };
    if (end.kind === "failed") logFailure(log, fields, job, end);
    else if (end.kind === "deferred") log.info({ ...fields, code: end.code }, "job deferred");
    else log[end.kind === "completed" ? "debug" : "info"](fields, ends[end.kind]);
  });
  return {};
}

function logFailure(
  log: Logger,
  fields: object,
  { attemptsMade, maxAttempts }: AttemptedJob,
  { failure, trace }: Extract<AttemptOutcome, { kind: "failed" }>,
): void {
  const willRetry = failure.retryable && attemptsMade + 1 < maxAttempts;
  // A person has cancelled it, and knows.
  const level = willRetry || failure.code === "CANCELLED" ? "warn" : "error";
  const message = willRetry ? "attempt failed" : "job failed";
  log[level]({ ...fields, willRetry, ...failure, err: { stack: trace } }, message);
}
