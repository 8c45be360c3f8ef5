import { errorCodes } from "../errors/error-codes.ts";
import type { AttemptOutcome, ClaimedJob } from "../queue/claimed-job.ts";
import { byKnownName, type Metrics } from "../telemetry/metrics.ts";

/** Told how attempts go. */
export interface AttemptWatch {
  started(job: ClaimedJob): void;
  ended(job: ClaimedJob, outcome: AttemptOutcome, tookMs: number): void;
}

/** Counts and times attempts by type. */
export function watchAttempts(metrics: Metrics, types: readonly string[]): AttemptWatch {
  const attempts = metrics.counter("holdfast_attempts_total");
  const durations = metrics.histogram("holdfast_attempt_duration_seconds");
  const waits = metrics.histogram("holdfast_time_to_start_seconds");
  const ofType = byKnownName(types, (type) => {
    // A handler can throw anything, also an error of ours with a code that is none.
    const failed = byKnownName(Object.keys(errorCodes), (code) => attempts.labels(type, "failed", code));
    return {
      failed,
      completed: attempts.labels(type, "completed", ""),
      returned: attempts.labels(type, "returned", ""),
      postponed: attempts.labels(type, "postponed", ""),
      duration: durations.labels(type),
      wait: waits.labels(type),
    };
  });
  for (const type of types) ofType(type);
  return {
    started({ type, readyAt }) {
      if (readyAt !== undefined) ofType(type).wait.observe(Math.max(0, Date.now() - readyAt) / 1_000);
    },
    ended({ type }, outcome, tookMs) {
      const counters = ofType(type);
      if (outcome.kind === "failed") counters.failed(outcome.failure.code).inc();
      else counters[outcome.kind].inc();
      counters.duration.observe(tookMs / 1_000);
    },
  };
}
