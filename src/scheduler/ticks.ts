import type { Schedule } from "../contract/define-schedule.ts";

/** The first tick after an instant. */
export function nextTick({ everyMs }: Schedule, after: Date): Date {
  return new Date((Math.floor(after.getTime() / everyMs) + 1) * everyMs);
}

/** The idempotency key of a tick: the whole state that a schedule has. */
export function tickKey({ name }: Schedule, at: Date): string {
  return `schedule:${name}:${at.toISOString()}`;
}
