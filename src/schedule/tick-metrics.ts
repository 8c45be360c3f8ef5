import { closedSet, type Metrics } from "../telemetry/metrics.ts";

const outcomes = ["enqueued", "duplicate", "retried", "failed"] as const;
export type TickOutcome = (typeof outcomes)[number];

/** Told what became of a tick. `retried`: the store did not take it, and it is tried again. */
export type ReportTick = (schedule: string, outcome: TickOutcome, lateMs: number) => void;

/** Counts ticks by schedule, and how late they were enqueued. */
export function tickReporter(metrics: Metrics, schedules: readonly { readonly name: string }[]): ReportTick {
  const ticks = metrics.counter("holdfast_schedule_ticks_total");
  const lateness = metrics.histogram("holdfast_schedule_lateness_seconds");
  const names = schedules.map(({ name }) => name);
  const scheduleLabel = closedSet(names);
  for (const schedule of names) {
    for (const outcome of outcomes) ticks.inc({ schedule, outcome }, 0);
    lateness.zero({ schedule });
  }
  return (name, outcome, lateMs) => {
    const schedule = scheduleLabel(name);
    ticks.inc({ schedule, outcome });
    if (outcome === "enqueued") lateness.observe({ schedule }, Math.max(0, lateMs) / 1_000);
  };
}
