import { errorCodes } from "../errors/error-codes.ts";
import type { Events } from "./events.ts";
import { closedSet, type Metrics } from "./metrics.ts";

/** Counts and times attempts by type. */
export function measureAttempts(events: Events, metrics: Metrics, types: readonly string[]): void {
  const attempts = metrics.counter("holdfast_attempts_total");
  const durations = metrics.histogram("holdfast_attempt_duration_seconds");
  const waits = metrics.histogram("holdfast_time_to_start_seconds");
  const typeLabel = closedSet(types);
  const codeLabel = closedSet(Object.keys(errorCodes)); // a handler can throw any code
  for (const type of types) {
    for (const outcome of ["completed", "released", "deferred"]) attempts.inc({ type, outcome, code: "" }, 0);
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
  });
}
