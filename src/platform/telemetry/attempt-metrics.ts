import { errorCodes } from "../errors/error-codes.ts";
import type { AttemptedJob, AttemptFailure, Events } from "./events.ts";
import { closedSet, type Metrics } from "./metrics.ts";

/** How often the jobs of each type are attempted. */
type MeasuredJobs = ReadonlyMap<string, { readonly retry: { readonly attempts: number } }>;

/** Reported from the start: Prometheus sees no increase in a series that begins with 1. */
const usualCodes = ["HANDLER_FAILED", "PERMANENT_FAILURE", "ATTEMPT_TIMED_OUT", "STARTS_EXHAUSTED"];

/** Counts and times attempts by type. */
export function measureAttempts(events: Events, metrics: Metrics, jobs: MeasuredJobs): void {
  const attempts = metrics.counter("holdfast_attempts_total");
  const durations = metrics.histogram("holdfast_attempt_duration_seconds");
  const waits = metrics.histogram("holdfast_time_to_start_seconds");
  const failed = metrics.counter("holdfast_jobs_failed_total");
  const types = [...jobs.keys()];
  const typeLabel = closedSet(types);
  const codeLabel = closedSet(Object.keys(errorCodes)); // a handler can throw any code
  for (const type of types) {
    for (const outcome of ["completed", "released", "deferred"]) attempts.inc({ type, outcome, code: "" }, 0);
    for (const code of usualCodes) failed.inc({ type, code }, 0);
    durations.zero({ type });
    waits.zero({ type });
  }
  events.on("attempt.started", ({ type, readyAt }) => {
    if (readyAt === undefined) return;
    waits.observe({ type: typeLabel(type) }, Math.max(0, Date.now() - readyAt) / 1_000);
  });
  events.on("attempt.ended", (job, end, durationMs) => {
    const type = typeLabel(job.type);
    const code = end.kind === "failed" ? codeLabel(end.failure.code) : "";
    attempts.inc({ type, outcome: end.kind, code });
    durations.observe({ type }, durationMs / 1_000);
    if (end.kind === "failed" && isLast(job, end.failure, jobs)) failed.inc({ type, code });
  });
}

function isLast(
  { type, attemptsMade }: AttemptedJob,
  { retryable }: AttemptFailure,
  jobs: MeasuredJobs,
): boolean {
  return !retryable || attemptsMade + 1 >= (jobs.get(type)?.retry.attempts ?? Number.POSITIVE_INFINITY);
}
