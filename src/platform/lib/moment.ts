/** An instant, by both clocks of a process. */
export interface Moment {
  readonly steadyMs: number;
  readonly timeOfDayMs: number;
}

/** Before all others. */
export const NEVER: Moment = {
  steadyMs: Number.NEGATIVE_INFINITY,
  timeOfDayMs: Number.NEGATIVE_INFINITY,
};

export function momentNow(): Moment {
  return { steadyMs: performance.now(), timeOfDayMs: Date.now() };
}

/**
 * How long ago it was at most, in milliseconds. The steady clock runs while a process is stopped, but not while its machine is
 * suspended; the time of day runs then, but somebody may set it. So the one counts that says more, and a time of day that was set
 * back says nothing: `Infinity`.
 */
export function ageOf({ steadyMs, timeOfDayMs }: Moment): number {
  const byTimeOfDay = Date.now() - timeOfDayMs;
  return byTimeOfDay < 0 ? Number.POSITIVE_INFINITY : Math.max(performance.now() - steadyMs, byTimeOfDay);
}

/** The same, but a time of day that was set back is left out: for what must not end because somebody sets a clock. */
export function elapsedSince({ steadyMs, timeOfDayMs }: Moment): number {
  return Math.max(performance.now() - steadyMs, Date.now() - timeOfDayMs);
}
