import { byKnownName, byName, type Metrics } from "../telemetry/metrics.ts";

const outcomes = ["enqueued", "duplicate", "retried", "failed"] as const;
export type TickOutcome = (typeof outcomes)[number];

/** Told what became of a tick. `retried`: the store did not take it, and it is tried again. */
export type ReportTick = (schedule: string, outcome: TickOutcome, lateMs: number) => void;

/** Counts ticks by schedule, and how late they were enqueued. */
export function tickReporter(metrics: Metrics, schedules: readonly { readonly name: string }[]): ReportTick {
  const ticks = metrics.counter("holdfast_schedule_ticks_total");
  const lateness = metrics.histogram("holdfast_schedule_lateness_seconds");
  const names = schedules.map(({ name }) => name);
  const ofSchedule = byKnownName(names, (name) => ({
    count: byName(outcomes, (outcome) => ticks.labels(name, outcome)),
    lateness: lateness.labels(name),
  }));
  for (const name of names) ofSchedule(name);
  return (name, outcome, lateMs) => {
    const schedule = ofSchedule(name);
    schedule.count[outcome].inc();
    if (outcome === "enqueued") schedule.lateness.observe(Math.max(0, lateMs) / 1_000);
  };
}
