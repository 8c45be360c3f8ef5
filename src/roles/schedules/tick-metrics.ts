import type { Events } from "../../core/events.ts";
import type { MetricDefinitions, Metrics } from "../../platform/telemetry/metrics.ts";
import type { Schedule } from "./define-schedule.ts";
import type { TickEvent } from "./log-ticks.ts";
import type { MissedTicks } from "./missed-ticks.ts";

/** The metrics of ticks, by name. */
export const tickMetrics = {
  holdfast_schedule_ticks_total: {
    kind: "counter",
    labels: ["schedule", "outcome"],
    help: "Ticks by schedule, all that were put at run time as (stored), and by outcome: enqueued, duplicate (another scheduler was first), retried (Redis did not accept it yet), skipped (the schedule says so, or is paused), missed (no scheduler enqueued it in time) or failed.",
    reportedBy: ["scheduler"],
  },
  holdfast_schedule_missed_ticks: {
    kind: "gauge",
    labels: ["schedule"],
    help: "Ticks that were due for a minute and that nobody enqueued, since the latest that was, of the latest 11; 0 until the first ever was.",
    reportedBy: ["api", "scheduler"],
  },
  holdfast_stored_schedules_overdue: {
    kind: "gauge",
    labels: [],
    help: "Schedules that were put at run time, that were due for a minute, and that no scheduler has looked at.",
    reportedBy: ["api", "scheduler"],
  },
  holdfast_schedule_lateness_seconds: {
    kind: "histogram",
    labels: ["schedule"],
    help: "How long after its instant a tick was enqueued; caught-up ticks are late by nature.",
    reportedBy: ["scheduler"],
    buckets: [0.01, 0.05, 0.25, 1, 2.5, 10, 60, 600, 3_600],
  },
} as const satisfies MetricDefinitions;

const outcomes = ["enqueued", "duplicate", "retried", "skipped", "missed", "failed"] as const;

/** The label of all schedules that were put at run time together: there can be thousands. No schedule can have this name. */
const STORED = "(stored)";

/** Counts ticks by schedule, and how late they were enqueued. @param schedules those that the application declares */
export function measureTicks(events: Events, metrics: Metrics, schedules: readonly string[]): void {
  const { counter, histogram } = metrics.of(tickMetrics);
  const ticks = counter("holdfast_schedule_ticks_total");
  const lateness = histogram("holdfast_schedule_lateness_seconds");
  const declared = new Set(schedules);
  const labelOf = (schedule: string) => ({ schedule: declared.has(schedule) ? schedule : STORED });
  for (const schedule of [...schedules, STORED]) {
    for (const outcome of outcomes) ticks.inc({ schedule, outcome }, 0);
    lateness.zero({ schedule });
  }
  for (const outcome of outcomes)
    events.on(`tick.${outcome}`, ({ schedule }: TickEvent) => ticks.inc({ ...labelOf(schedule), outcome }));
  events.on("tick.enqueued", ({ schedule, lateMs }) =>
    lateness.observe(labelOf(schedule), Math.max(0, lateMs) / 1_000),
  );
}

/** Reports missed ticks at each scrape, from whichever process is scraped: also while no scheduler runs. */
export function measureMissedTicks(
  metrics: Metrics,
  missedTicks: MissedTicks,
  schedules: readonly Schedule[],
  clock: { now(): number },
): void {
  const missed = metrics.of(tickMetrics).gauge("holdfast_schedule_missed_ticks");
  metrics.beforeScrape(async () => {
    const now = clock.now();
    const found = await Promise.all(schedules.map((schedule) => missedTicks.of(schedule, now))).catch(
      () => [],
    );
    missed.reset();
    for (const [index, ticks] of found.entries())
      missed.labels(schedules[index]?.name ?? "").set(ticks.length);
  });
}

/** The same for schedules that were put at run time and are overdue. */
export function measureOverdue(
  metrics: Metrics,
  stored: { overdue(now: number): Promise<{ readonly count: number }> },
  clock: { now(): number },
): void {
  const overdue = metrics.of(tickMetrics).gauge("holdfast_stored_schedules_overdue");
  metrics.beforeScrape(async () => {
    const found = await stored.overdue(clock.now()).catch(() => undefined);
    overdue.reset();
    if (found !== undefined) overdue.labels().set(found.count);
  });
}
