import { errorCodes } from "../errors/error-codes.ts";
import type { AttemptOutcome, ClaimedJob } from "../queue/claimed-job.ts";
import { closedSet, type Metrics } from "../telemetry/metrics.ts";

/** Called as attempts start and end. */
export interface AttemptWatch {
  started(job: ClaimedJob): void;
  ended(job: ClaimedJob, outcome: AttemptOutcome, tookMs: number): void;
}

/** Counts and times attempts by type. */
export function watchAttempts(metrics: Metrics, types: readonly string[]): AttemptWatch {
  const attempts = metrics.counter("holdfast_attempts_total");
  const durations = metrics.histogram("holdfast_attempt_duration_seconds");
  const waits = metrics.histogram("holdfast_time_to_start_seconds");
  const typeLabel = closedSet(types);
  const codeLabel = closedSet(Object.keys(errorCodes)); // a handler can throw any code
  for (const type of types) {
    for (const outcome of ["completed", "returned", "postponed"])
      attempts.inc({ type, outcome, code: "" }, 0);
    durations.zero({ type });
    waits.zero({ type });
  }
  return {
    started({ type, readyAt }) {
      if (readyAt === undefined) return;
      waits.observe({ type: typeLabel(type) }, Math.max(0, Date.now() - readyAt) / 1_000);
    },
    ended(job, outcome, tookMs) {
      const type = typeLabel(job.type);
      const code = outcome.kind === "failed" ? codeLabel(outcome.failure.code) : "";
      attempts.inc({ type, outcome: outcome.kind, code });
      durations.observe({ type }, tookMs / 1_000);
    },
  };
}
