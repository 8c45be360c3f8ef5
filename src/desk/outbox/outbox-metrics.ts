import type { MetricDefinitions, Metrics } from "../../platform/telemetry/metrics.ts";
import { closedSet } from "../../platform/telemetry/metrics.ts";
import type { RelayOptions, RowOutcome } from "../../roles/outbox/relay.ts";
import { readDepth } from "./read-outbox.ts";

/** The metrics of the outbox, by name. Every relay reads the same gauges: take their `max`, never their `sum`. @public */
export const outboxMetrics = {
  holdfast_outbox_relayed_total: {
    kind: "counter",
    labels: ["type", "outcome"],
    help: "Rows that a relay submitted: accepted, duplicate (accepted before), parked, or deferred (Redis could not accept it: each try).",
    reportedBy: ["relay"],
  },
  holdfast_outbox_lag_seconds: {
    kind: "histogram",
    labels: ["type"],
    help: "From when a row was added, or released, until its job was accepted.",
    reportedBy: ["relay"],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 1_800, 7_200],
  },
  holdfast_outbox_up: {
    kind: "gauge",
    labels: [],
    help: "1 if the database answered this scrape; if 0, all that is read from the outbox is absent.",
    reportedBy: ["relay"],
  },
  holdfast_outbox_rows: {
    kind: "gauge",
    labels: ["state"],
    help: "Rows that are waiting or parked, each counted up to 100,000.",
    reportedBy: ["relay"],
  },
  holdfast_outbox_oldest_waiting_age_seconds: {
    kind: "gauge",
    labels: [],
    help: "How long the oldest row has waited; 0 if none waits. Beyond HOLDFAST_RETENTION_MS rows are parked.",
    reportedBy: ["relay"],
  },
} as const satisfies MetricDefinitions;

const outcomes: readonly RowOutcome[] = ["accepted", "duplicate", "parked", "deferred"];

/** Counts what becomes of rows, and reads the outbox at each scrape. */
export function measureOutbox(
  metrics: Metrics,
  types: readonly string[],
  databaseUrl: string,
): RelayOptions["onRow"] {
  const { gauge, histogram, tally } = metrics.of(outboxMetrics);
  const relayed = tally("holdfast_outbox_relayed_total");
  const lag = histogram("holdfast_outbox_lag_seconds");
  const up = gauge("holdfast_outbox_up").labels();
  const rows = gauge("holdfast_outbox_rows");
  const oldest = gauge("holdfast_outbox_oldest_waiting_age_seconds");
  const typeLabel = closedSet(types);
  for (const type of types) {
    lag.zero({ type });
    for (const outcome of outcomes) relayed([type, outcome], 0);
  }
  metrics.beforeScrape(async () => {
    const depth = await readDepth(databaseUrl).catch(() => undefined);
    up.set(depth === undefined ? 0 : 1);
    rows.reset();
    oldest.remove();
    if (depth === undefined) return;
    rows.labels("waiting").set(depth.waiting);
    rows.labels("parked").set(depth.parked);
    oldest.labels().set(depth.oldestWaitingMs / 1_000);
  });
  return (row, outcome, ageMs) => {
    const type = typeLabel(row.type);
    relayed([type, outcome]);
    if (outcome === "accepted") lag.observe({ type }, Math.max(0, ageMs) / 1_000);
  };
}
