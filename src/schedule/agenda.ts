import type { Schedule } from "../job/define-schedule.ts";

/**
 * Which ticks are to run: pure functions of the schedule, the ticks seen so far and the time.
 *
 * All instants are milliseconds since 1970. Lists are oldest first.
 */

/** A running scheduler that gets to a tick this late is on time: event loops stall, and the store can be away. */
const ON_TIME_MS = 10_000;
/** No schedule has more ticks than this within that time. */
const ON_TIME_TICKS_MAX = 11;

/** What a scheduler has seen of a schedule. */
export interface Progress {
  /** When it began to follow it. */
  readonly begunAt: number;
  /** Up to when it has looked for ticks. */
  readonly seenUntil: number;
}

/** Where a scheduler that starts now begins: ticks that nobody may have been there for lie before that. */
export function startingPoint({ catchUp }: Schedule, now: number): Progress {
  return { begunAt: now, seenUntil: catchUp.mode === "none" ? now : now - catchUp.windowMs };
}

/** The ticks not seen yet that are due by now and that the catch-up policy wants. */
export function newlyDue(schedule: Schedule, progress: Progress, now: number): number[] {
  const { mode, max } = schedule.catchUp;
  const count = mode === "all" ? Math.max(max, ON_TIME_TICKS_MAX) : ON_TIME_TICKS_MAX;
  const due = schedule.timetable.latest(count, now).filter((at) => at > progress.seenUntil);
  return wanted(schedule, due.reverse(), progress, now, mode !== "none");
}

/** The ticks, of those that could not be submitted yet, that are still worth trying. */
export function stillWanted(
  schedule: Schedule,
  pending: readonly number[],
  progress: Progress,
  now: number,
): number[] {
  // One that was begun in time is not given up before the next is due.
  return wanted(schedule, pending, progress, now, true);
}

function wanted(
  { catchUp }: Schedule,
  ticks: readonly number[],
  { begunAt }: Progress,
  now: number,
  keepsLatest: boolean,
): number[] {
  const { mode, max, windowMs } = catchUp;
  const kept = mode === "all" ? max : Number(keepsLatest);
  return ticks.filter((at, index) => {
    const isOnTime = at > begunAt && now - at <= ON_TIME_MS;
    const isAmongLatest = index >= ticks.length - kept;
    return isOnTime || (isAmongLatest && (mode === "none" || now - at <= windowMs));
  });
}
