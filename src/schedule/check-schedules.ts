import { HoldfastError } from "../errors/holdfast-error.ts";
import type { Schedule } from "../job/define-schedule.ts";

/**
 * Checks what can only be known with the settings at hand.
 *
 * @throws HoldfastError `APPLICATION_INVALID` with a line for each schedule whose next payload does not fit its job, or
 *   whose catch-up reaches further back than keys are remembered: it would run ticks twice
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
    const { error } = job.payload.safeParse(payload({ at: new Date(at) }));
    return (error?.issues ?? []).map(
      ({ path, message }) => `schedule "${name}": payload.${path.join(".")}: ${message}`,
    );
  } catch (error) {
    return [`schedule "${name}": payload: threw ${error instanceof Error ? error.message : String(error)}`];
  }
}
