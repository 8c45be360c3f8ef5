export interface MetricDefinition {
  readonly kind: "counter" | "gauge" | "histogram";
  /** Their values are closed sets, never ids, keys, paths or messages. */
  readonly labels: readonly string[];
  /** One line for Prometheus and `docs/observe.md`. */
  readonly help: string;
  readonly reportedBy: readonly ("api" | "worker" | "scheduler")[];
  /** Upper bounds of a histogram's buckets. */
  readonly buckets?: readonly number[];
}

const everyProcess = ["api", "worker", "scheduler"] as const;

/**
 * Holdfast's metrics by name. Metrics of the process itself are prom-client's.
 *
 * Every process reads the same gauges of queues from Redis: take their `max`, never their `sum`.
 */
export const metricDefinitions = {
  holdfast_submissions_total: {
    kind: "counter",
    labels: ["type", "outcome"],
    help: "Submissions by outcome: accepted, duplicate, refused, key_reused, store_full, store_unavailable, store_rolled_back, store_unfit, clock_wrong or failed.",
    reportedBy: ["api", "worker", "scheduler"],
  },
  holdfast_attempts_total: {
    kind: "counter",
    labels: ["type", "outcome", "code"],
    help: "Attempts that ended: completed, failed (with its error code), released to the queue, or deferred.",
    reportedBy: ["worker"],
  },
  holdfast_jobs_failed_total: {
    kind: "counter",
    labels: ["type", "code"],
    help: "Jobs that failed for good, by the error code of their last attempt; EFFECT_IN_DOUBT waits for a person, CANCELLED is one's wish.",
    reportedBy: ["worker"],
  },
  holdfast_attempt_duration_seconds: {
    kind: "histogram",
    labels: ["type"],
    help: "How long attempts took, however they ended.",
    reportedBy: ["worker"],
    buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 1_800],
  },
  holdfast_time_to_start_seconds: {
    kind: "histogram",
    labels: ["type"],
    help: "From when a job could first run to the start of its first attempt.",
    reportedBy: ["worker"],
    buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 1_800, 7_200],
  },
  holdfast_effects_total: {
    kind: "counter",
    labels: ["type", "effect", "transition"],
    help: "Transitions of side effects: reserved, done, released, in_doubt (each time an attempt leaves or finds it so) or resolved.",
    reportedBy: ["api", "worker"],
  },
  holdfast_jobs: {
    kind: "gauge",
    labels: ["queue", "state"],
    help: "Jobs by BullMQ's state; completed and failed ones while they are kept.",
    reportedBy: everyProcess,
  },
  holdfast_queue_paused: {
    kind: "gauge",
    labels: ["queue"],
    help: "1 while the queue is paused, 0 otherwise.",
    reportedBy: everyProcess,
  },
  holdfast_queue_at_limit: {
    kind: "gauge",
    labels: ["queue"],
    help: "1 while a limit of the queue keeps its next job from starting, 0 otherwise.",
    reportedBy: everyProcess,
  },
  holdfast_queue_slot_open: {
    kind: "gauge",
    labels: ["queue"],
    help: "1 while the queue stands still because its cluster slot is being moved, or was left half moved; its other gauges are absent then. 0 otherwise.",
    reportedBy: everyProcess,
  },
  holdfast_oldest_waiting_age_seconds: {
    kind: "gauge",
    labels: ["queue"],
    help: "How long the next job in line has been able to run; 0 if none waits.",
    reportedBy: everyProcess,
  },
  holdfast_workers: {
    kind: "gauge",
    labels: ["queue"],
    help: "Workers of the queue with a heartbeat in the last 15 seconds.",
    reportedBy: everyProcess,
  },
  holdfast_worker_slots: {
    kind: "gauge",
    labels: ["queue"],
    help: "How many attempts this worker may run at a time. All workers' slots that are busy: holdfast_jobs with the state active.",
    reportedBy: ["worker"],
  },
  holdfast_effects_in_doubt: {
    kind: "gauge",
    labels: ["queue"],
    help: "Side effects in doubt: nobody can know whether they happened.",
    reportedBy: everyProcess,
  },
  holdfast_effects_in_doubt_oldest_age_seconds: {
    kind: "gauge",
    labels: ["queue"],
    help: "How long the oldest side effect has been in doubt; 0 if there is none.",
    reportedBy: everyProcess,
  },
  holdfast_store_up: {
    kind: "gauge",
    labels: [],
    help: "1 if this process reached Redis for this scrape; if 0, all that is read from Redis is absent.",
    reportedBy: everyProcess,
  },
  holdfast_store_ping_seconds: {
    kind: "gauge",
    labels: [],
    help: "Round trip of a PING for this scrape.",
    reportedBy: everyProcess,
  },
  holdfast_store_memory_bytes: {
    kind: "gauge",
    labels: [],
    help: "Memory that Redis uses; in a cluster, of the master that is the fullest.",
    reportedBy: everyProcess,
  },
  holdfast_store_memory_accepted_bytes: {
    kind: "gauge",
    labels: [],
    help: "Up to how much used memory new jobs are accepted; absent without maxmemory.",
    reportedBy: everyProcess,
  },
  holdfast_clock_offset_seconds: {
    kind: "gauge",
    labels: [],
    help: "How far this process's clock is ahead of Redis's; negative if it is behind. Beyond 2 either way the process does no work.",
    reportedBy: everyProcess,
  },
  holdfast_schedule_ticks_total: {
    kind: "counter",
    labels: ["schedule", "outcome"],
    help: "Ticks by outcome: enqueued, duplicate (another scheduler was first), retried (Redis did not accept it yet), skipped (the schedule says so, or is paused), missed (no scheduler enqueued it in time) or failed.",
    reportedBy: ["scheduler"],
  },
  holdfast_schedule_missed_ticks: {
    kind: "gauge",
    labels: ["schedule"],
    help: "Ticks that were due for a minute and that nobody enqueued, since the latest that was, of the latest 11; 0 until the first ever was.",
    reportedBy: ["api", "scheduler"],
  },
  holdfast_schedule_lateness_seconds: {
    kind: "histogram",
    labels: ["schedule"],
    help: "How long after its instant a tick was enqueued; caught-up ticks are late by nature.",
    reportedBy: ["scheduler"],
    buckets: [0.01, 0.05, 0.25, 1, 2.5, 10, 60, 600, 3_600],
  },
  holdfast_http_requests_total: {
    kind: "counter",
    labels: ["route", "method", "status"],
    help: "Answered requests by the pattern of their route.",
    reportedBy: ["api"],
  },
  holdfast_http_request_duration_seconds: {
    kind: "histogram",
    labels: ["route", "method"],
    help: "How long requests took, including waits that clients asked for.",
    reportedBy: ["api"],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60],
  },
  holdfast_subscribers: {
    kind: "gauge",
    labels: [],
    help: "Clients of this process that wait for a job, or stream its states or the overview.",
    reportedBy: ["api"],
  },
} as const satisfies Record<string, MetricDefinition>;

type Definitions = typeof metricDefinitions;
type MetricName = keyof Definitions;

/** The names of the metrics of one kind. */
export type NameOf<Kind extends MetricDefinition["kind"]> = {
  [Name in MetricName]: Definitions[Name]["kind"] extends Kind ? Name : never;
}[MetricName];

export type LabelOf<Name extends MetricName> = Definitions[Name]["labels"][number];
