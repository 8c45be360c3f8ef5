import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { check, pathOf } from "../../platform/lib/schema.ts";
import { messageOf } from "../../platform/lib/thrown.ts";
import type { DeclaredSchedule, Schedule } from "./define-schedule.ts";

/**
 * Checks each schedule's next payload against its job, and its catch-up window against the keys' retention.
 * A longer window would run ticks twice.
 *
 * @throws HoldfastError `APPLICATION_INVALID` with one line per fault
 */
export function checkSchedules(schedules: readonly DeclaredSchedule[], retentionMs: number): void {
  const faults = schedules.flatMap((schedule) => {
    const fault = windowFault(schedule, retentionMs);
    const ofWindow = fault === undefined ? [] : [`catchUp.windowMs: ${fault}`];
    return [...ofWindow, ...payloadFaults(schedule)].map((text) => `schedule "${schedule.name}": ${text}`);
  });
  if (faults.length > 0) throw new HoldfastError("APPLICATION_INVALID", faults.join("\n"));
}

/** What is wrong with a schedule's catch-up window; undefined for nothing. */
export function windowFault(
  { catchUp: { mode, windowMs } }: Schedule,
  retentionMs: number,
): string | undefined {
  if (mode === "none" || windowMs < retentionMs) return undefined;
  return `expected less than HOLDFAST_RETENTION_MS (${retentionMs}), got ${windowMs}`;
}

function payloadFaults({ job, payload, timetable }: DeclaredSchedule): string[] {
  const at = timetable.next(Date.now());
  if (at === undefined) return [];
  try {
    const { issues = [] } = check(job.payload, payload({ at: new Date(at) }));
    return issues.map((issue) => `payload.${pathOf(issue).map(String).join(".")}: ${issue.message}`);
  } catch (error) {
    return [`payload: threw ${messageOf(error)}`];
  }
}
