import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { check, pathOf } from "../../platform/lib/schema.ts";
import type { Schedule } from "./define-schedule.ts";

/**
 * Checks each schedule's next payload against its job, and its catch-up window against the keys' retention.
 * A longer window would run ticks twice.
 *
 * @throws HoldfastError `APPLICATION_INVALID` with one line per fault
 */
export function checkSchedules(schedules: readonly Schedule[], retentionMs: number): void {
  const faults = schedules.flatMap((schedule) => [
    ...windowFaults(schedule, retentionMs),
    ...payloadFaults(schedule),
  ]);
  if (faults.length > 0) throw new HoldfastError("APPLICATION_INVALID", faults.join("\n"));
}

function windowFaults({ name, catchUp }: Schedule, retentionMs: number): string[] {
  if (catchUp.mode === "none" || catchUp.windowMs < retentionMs) return [];
  return [
    `schedule "${name}": catchUp.windowMs: expected less than HOLDFAST_RETENTION_MS (${retentionMs}), got ${catchUp.windowMs}`,
  ];
}

function payloadFaults({ name, job, payload, timetable }: Schedule): string[] {
  const at = timetable.next(Date.now());
  if (at === undefined) return [];
  try {
    const { issues = [] } = check(job.payload, payload({ at: new Date(at) }));
    return issues.map(
      (issue) => `schedule "${name}": payload.${pathOf(issue).map(String).join(".")}: ${issue.message}`,
    );
  } catch (error) {
    return [`schedule "${name}": payload: threw ${error instanceof Error ? error.message : String(error)}`];
  }
}
