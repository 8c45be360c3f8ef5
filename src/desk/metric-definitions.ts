import type { MetricDefinitions } from "../platform/telemetry/metrics.ts";

const everyProcess = ["api", "worker", "scheduler", "relay"] as const;

function gauge<const Labels extends readonly string[]>(labels: Labels, help: string) {
  return { kind: "gauge", labels, help, reportedBy: everyProcess } as const;
}

/**
 * The metrics of jobs, queues and Redis, by name. Those of ticks and of HTTP are where they are counted.
 *
 * Every process reads the same gauges of queues from Redis: take their `max`, never their `sum`.
 */
export const metricDefinitions = {
  holdfast_submissions_total: {
    kind: "counter",
    labels: ["type", "outcome"],
    help: "Submissions by outcome: accepted, duplicate, refused, key_reused, store_full, store_unavailable, store_rolled_back, store_unfit, clock_wrong or failed.",
    reportedBy: everyProcess,
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
  holdfast_jobs: gauge(
    ["queue", "state"],
    "Jobs by BullMQ's state; completed and failed ones while they are kept.",
  ),
  holdfast_queue_paused: gauge(["queue"], "1 while the queue is paused, 0 otherwise."),
  holdfast_queue_at_limit: gauge(
    ["queue"],
    "1 while a limit of the queue keeps its next job from starting, 0 otherwise.",
  ),
  holdfast_queue_ramping: gauge(["queue"], "1 while it starts slowly after a resume."),
  holdfast_queue_slot_open: gauge(
    ["queue"],
    "1 while the queue stands still because its cluster slot is being moved, or was left half moved; its other gauges are absent then. 0 otherwise.",
  ),
  holdfast_oldest_waiting_age_seconds: gauge(
    ["queue"],
    "How long the next job in line has been able to run; 0 if none waits.",
  ),
  holdfast_workers: gauge(["queue"], "Workers of the queue with a heartbeat in the last 15 seconds."),
  holdfast_workers_quiet: gauge(["queue"], "Of these, the quiet ones."),
  holdfast_worker_slots: {
    kind: "gauge",
    labels: ["queue"],
    help: "How many attempts this worker may run at a time. All workers' slots that are busy: holdfast_jobs with the state active.",
    reportedBy: ["worker"],
  },
  holdfast_effects_in_doubt: gauge(
    ["queue"],
    "Side effects in doubt: nobody can know whether they happened.",
  ),
  holdfast_effects_in_doubt_oldest_age_seconds: gauge(
    ["queue"],
    "How long the oldest side effect has been in doubt; 0 if there is none.",
  ),
  holdfast_store_up: gauge(
    [],
    "1 if this process reached Redis for this scrape; if 0, all that is read from Redis is absent.",
  ),
  holdfast_store_ping_seconds: gauge([], "Round trip of a PING for this scrape."),
  holdfast_store_memory_bytes: gauge(
    [],
    "Memory that Redis uses; in a cluster, of the master that is the fullest.",
  ),
  holdfast_store_memory_accepted_bytes: gauge(
    [],
    "Up to how much used memory new jobs are accepted; absent without maxmemory.",
  ),
  holdfast_clock_offset_seconds: gauge(
    [],
    "How far this process's clock is ahead of Redis's; negative if it is behind. Beyond 2 either way the process does no work.",
  ),
} as const satisfies MetricDefinitions;
