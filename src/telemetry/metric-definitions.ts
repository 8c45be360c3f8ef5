/** What one metric is: how it is taken, by which labels, and what a person needs to know about it. */
export interface MetricDefinition {
  readonly kind: "counter" | "gauge" | "histogram";
  /** Each from a closed set: no id, key, path or message is ever a label. */
  readonly labels: readonly string[];
  /** One line, for Prometheus and for the reference. */
  readonly help: string;
  /** Which processes tell it. */
  readonly reportedBy: readonly ("api" | "worker" | "scheduler")[];
  /** Upper bounds of a histogram's buckets. */
  readonly buckets?: readonly number[];
}

const everyProcess = ["api", "worker", "scheduler"] as const;

/**
 * Every metric of ours, by name; those of the process itself are prom-client's.
 *
 * A gauge that every process tells is read from the store: each tells the same, so take their `max`, never their `sum`.
 */
export const metricDefinitions = {
  holdfast_submissions_total: {
    kind: "counter",
    labels: ["type", "outcome"],
    help: "Submissions by outcome: accepted, duplicate, refused, key_reused, store_full, store_unavailable, store_rolled_back, clock_wrong or failed.",
    reportedBy: ["api", "scheduler"],
  },
  holdfast_attempts_total: {
    kind: "counter",
    labels: ["type", "outcome", "code"],
    help: "Attempts that ended: completed, failed (with its error code), released to the queue, or deferred.",
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
    help: "From when a job might run, its delay over, to the start of its first attempt.",
    reportedBy: ["worker"],
    buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 1_800, 7_200],
  },
  holdfast_effects_total: {
    kind: "counter",
    labels: ["type", "effect", "transition"],
    help: "Transitions of side effects: reserved, done, released, in_doubt (each time an attempt finds it so) or resolved.",
    reportedBy: ["api", "worker"],
  },
  holdfast_jobs: {
    kind: "gauge",
    labels: ["queue", "state"],
    help: "Jobs by BullMQ's state; of completed and failed ones, those that are kept.",
    reportedBy: everyProcess,
  },
  holdfast_oldest_waiting_age_seconds: {
    kind: "gauge",
    labels: ["queue"],
    help: "For how long the next job in line, or one whose delay is over, might have run already; 0 where none waits.",
    reportedBy: everyProcess,
  },
  holdfast_workers: {
    kind: "gauge",
    labels: ["queue"],
    help: "Workers of the queue that gave a sign of life within the last 15 seconds.",
    reportedBy: everyProcess,
  },
  holdfast_effects_in_doubt: {
    kind: "gauge",
    labels: ["queue"],
    help: "Side effects of which nobody can know whether they happened.",
    reportedBy: everyProcess,
  },
  holdfast_effects_in_doubt_oldest_age_seconds: {
    kind: "gauge",
    labels: ["queue"],
    help: "How long the oldest side effect in doubt has been so; 0 where there is none.",
    reportedBy: everyProcess,
  },
  holdfast_store_up: {
    kind: "gauge",
    labels: [],
    help: "1 where this process reached the store for this scrape; 0 where not, and then what is read from it is absent.",
    reportedBy: everyProcess,
  },
  holdfast_store_ping_seconds: {
    kind: "gauge",
    labels: [],
    help: "How long a PING of this process took for this scrape, there and back.",
    reportedBy: everyProcess,
  },
  holdfast_clock_offset_seconds: {
    kind: "gauge",
    labels: [],
    help: "How far this process's clock is ahead of Redis's, negative where it is behind; more than 2 either way, and it does no work.",
    reportedBy: everyProcess,
  },
  holdfast_schedule_ticks_total: {
    kind: "counter",
    labels: ["schedule", "outcome"],
    help: "Ticks by outcome: enqueued, duplicate (another scheduler was first), retried (the store did not take it yet) or failed.",
    reportedBy: ["scheduler"],
  },
  holdfast_schedule_lateness_seconds: {
    kind: "histogram",
    labels: ["schedule"],
    help: "How long after its instant a tick was enqueued; ticks that were caught up are late by nature.",
    reportedBy: ["scheduler"],
    buckets: [0.01, 0.05, 0.25, 1, 2.5, 10, 60, 600, 3_600],
  },
  holdfast_http_requests_total: {
    kind: "counter",
    labels: ["route", "method", "status"],
    help: "Answered requests, by the pattern of their route.",
    reportedBy: ["api"],
  },
  holdfast_http_request_duration_seconds: {
    kind: "histogram",
    labels: ["route", "method"],
    help: "How long requests took, the wait that a client asked for included.",
    reportedBy: ["api"],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60],
  },
  holdfast_subscribers: {
    kind: "gauge",
    labels: [],
    help: "Clients that wait for a job at this process, or stream its states or the overview.",
    reportedBy: ["api"],
  },
} as const satisfies Record<string, MetricDefinition>;

type Definitions = typeof metricDefinitions;
type MetricName = keyof Definitions;

/** The names of the metrics of one kind. */
export type NameOf<Kind extends MetricDefinition["kind"]> = {
  [Name in MetricName]: Definitions[Name]["kind"] extends Kind ? Name : never;
}[MetricName];

/** The labels of one metric. */
export type LabelOf<Name extends MetricName> = Definitions[Name]["labels"][number];
