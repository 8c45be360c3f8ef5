import type { AttemptedJob, EffectEventName, Events } from "../core/events.ts";
import type { Failure } from "../core/job/failure.ts";
import { errorCodes } from "../platform/errors/error-codes.ts";
import { HoldfastError } from "../platform/errors/holdfast-error.ts";
import { closedSet, type Metrics } from "../platform/telemetry/metrics.ts";
import { metricDefinitions } from "./metric-definitions.ts";

/** How often the jobs of each type are attempted. */
type MeasuredJobs = ReadonlyMap<string, { readonly retry: { readonly attempts: number } }>;

/** Reported from the start: Prometheus sees no increase in a series that begins with 1. */
const usualCodes = ["HANDLER_FAILED", "PERMANENT_FAILURE", "ATTEMPT_TIMED_OUT", "STARTS_EXHAUSTED"];

export function measureAttempts(events: Events, metrics: Metrics, jobs: MeasuredJobs): void {
  const { counter, histogram } = metrics.of(metricDefinitions);
  const attempts = counter("holdfast_attempts_total");
  const durations = histogram("holdfast_attempt_duration_seconds");
  const waits = histogram("holdfast_time_to_start_seconds");
  const failed = counter("holdfast_jobs_failed_total");
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

function isLast({ type, attemptsMade }: AttemptedJob, { retryable }: Failure, jobs: MeasuredJobs): boolean {
  return !retryable || attemptsMade + 1 >= (jobs.get(type)?.retry.attempts ?? Number.POSITIVE_INFINITY);
}

const transitions: Readonly<Record<EffectEventName, string>> = {
  "effect.reserved": "reserved",
  "effect.done": "done",
  "effect.released": "released",
  "effect.in-doubt": "in_doubt",
  "effect.resolved": "resolved",
};

interface DeclaredEffects {
  readonly type: string;
  readonly effects: Readonly<Record<string, unknown>>;
}

export function measureEffects(events: Events, metrics: Metrics, jobs: Iterable<DeclaredEffects>): void {
  const counter = metrics.of(metricDefinitions).counter("holdfast_effects_total");
  const effectsOf = new Map([...jobs].map((job) => [job.type, new Set(Object.keys(job.effects))]));
  for (const [name, transition] of Object.entries(transitions)) {
    for (const [type, effects] of effectsOf)
      for (const effect of effects) counter.inc({ type, effect, transition }, 0);
    events.on(name as EffectEventName, (type: string, effect: string) => {
      const effects = effectsOf.get(type);
      counter.inc({
        type: effects === undefined ? "other" : type,
        effect: effects?.has(effect) ? effect : "other",
        transition,
      });
    });
  }
}

const outcomes = [
  "accepted",
  "duplicate",
  "refused",
  "key_reused",
  "store_full",
  "store_unavailable",
  "store_rolled_back",
  "store_unfit",
  "clock_wrong",
  "failed",
] as const;

export function measureSubmissions(events: Events, metrics: Metrics, types: readonly string[]): void {
  const submissions = metrics.of(metricDefinitions).tally("holdfast_submissions_total");
  const typeLabel = closedSet(types);
  for (const type of types) for (const outcome of outcomes) submissions([type, outcome], 0);
  const count = (type: string, outcome: (typeof outcomes)[number]) => submissions([typeLabel(type), outcome]);
  events.on("job.submitted", ({ type, duplicate }) => count(type, duplicate ? "duplicate" : "accepted"));
  events.on("submission.refused", (input, error) => count(typeIn(input), outcomeOf(error)));
}

function typeIn(input: unknown): string {
  if (typeof input !== "object" || input === null || !("type" in input)) return "";
  return typeof input.type === "string" ? input.type : "";
}

function outcomeOf(error: unknown): (typeof outcomes)[number] {
  if (!(error instanceof HoldfastError)) return "failed";
  if (error.code === "IDEMPOTENCY_KEY_REUSED") return "key_reused";
  if (error.code === "STORE_FULL") return "store_full";
  if (error.code === "STORE_UNAVAILABLE") return "store_unavailable";
  if (error.code === "STORE_ROLLED_BACK") return "store_rolled_back";
  if (error.code === "STORE_UNFIT") return "store_unfit";
  if (error.code === "CLOCK_WRONG") return "clock_wrong";
  return error.statusCode < 500 ? "refused" : "failed";
}
