import type { Schedule } from "./define-schedule.ts";

/** Decides which ticks run. Instants are milliseconds since 1970; lists are oldest first. */

/** Up to this late, a tick is on time for a running scheduler: event loops stall, and Redis can be away. */
export const ON_TIME_MS = 10_000;
/** No schedule has more ticks than this in that time. */
const ON_TIME_TICKS_MAX = 11;

/** How far a scheduler has come with a schedule. */
export interface Progress {
  readonly startedAt: number;
  /** It has looked for ticks up to this instant. */
  readonly seenUntil: number;
}

/** Where a scheduler begins when it starts: earlier ticks are caught up only as far as the policy's window. */
export function startingPoint({ catchUp }: Schedule, now: number): Progress {
  return { startedAt: now, seenUntil: catchUp.mode === "none" ? now : now - catchUp.windowMs };
}

/** The due ticks that the scheduler has not seen and that the catch-up policy wants. */
export function newlyDue(schedule: Schedule, progress: Progress, now: number): number[] {
  const { mode, max } = schedule.catchUp;
  const count = mode === "all" ? Math.max(max, ON_TIME_TICKS_MAX) : ON_TIME_TICKS_MAX;
  const due = schedule.timetable.latest(count, now).filter((at) => at > progress.seenUntil);
  return wantedTicks(schedule, due.reverse(), onTimeFrom(progress, now), now);
}

/** As many ticks are looked at one by one; beyond that, the latest. */
const TICKS_MAX = 60;

/** Ticks after `after`, up to `until`, the oldest first; of many the latest. */
export function dueAfter({ timetable, catchUp }: Schedule, after: number, until: number): number[] {
  const ticks: number[] = [];
  for (let at = timetable.next(after); at !== undefined && at <= until; at = timetable.next(at)) {
    ticks.push(at);
    if (ticks.length <= TICKS_MAX) continue;
    const count = catchUp.mode === "all" ? Math.max(catchUp.max, TICKS_MAX) : TICKS_MAX;
    const latest = timetable.latest(count, until).filter((tick) => tick > after);
    return latest.reverse();
  }
  return ticks;
}

/** Of ticks that Redis did not accept, those to try again: one that was tried in time is tried until the next one is due. */
export function stillWanted(
  schedule: Schedule,
  pending: readonly number[],
  progress: Progress,
  now: number,
): number[] {
  return wantedTicks(schedule, pending, onTimeFrom(progress, now), now, true);
}

function onTimeFrom({ startedAt }: Progress, now: number): number {
  return Math.max(startedAt + 1, now - ON_TIME_MS);
}

/**
 * Of ticks that are due and that no scheduler has submitted, those that the catch-up policy wants.
 *
 * @param onTime later ticks are on time, whatever the policy
 */
export function wantedTicks(
  { catchUp: { mode, max, windowMs } }: Schedule,
  due: readonly number[],
  onTime: number,
  now: number,
  keepsLatest = mode !== "none",
): number[] {
  const kept = mode === "all" ? max : Number(keepsLatest);
  return due.filter((at, index) => {
    const isAmongLatest = index >= due.length - kept;
    return at >= onTime || (isAmongLatest && (mode === "none" || now - at <= windowMs));
  });
}
