import type { Events } from "../../platform/telemetry/events.ts";
import type { Metrics } from "../../platform/telemetry/metrics.ts";

const outcomes = ["enqueued", "duplicate", "retried", "skipped", "missed", "failed"] as const;

/** Counts ticks by schedule, and how late they were enqueued. */
export function measureTicks(events: Events, metrics: Metrics, schedules: readonly string[]): void {
  const ticks = metrics.counter("holdfast_schedule_ticks_total");
  const lateness = metrics.histogram("holdfast_schedule_lateness_seconds");
  for (const schedule of schedules) {
    for (const outcome of outcomes) ticks.inc({ schedule, outcome }, 0);
    lateness.zero({ schedule });
  }
  for (const outcome of outcomes)
    events.on(`tick.${outcome}`, ({ schedule }: { readonly schedule: string }) =>
      ticks.inc({ schedule, outcome }),
    );
  events.on("tick.enqueued", ({ schedule, lateMs }) =>
    lateness.observe({ schedule }, Math.max(0, lateMs) / 1_000),
  );
}
