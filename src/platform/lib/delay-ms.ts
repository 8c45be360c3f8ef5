/** A year. Longer delays are mistakes, and BullMQ could not sort them. */
const DELAY_MAX_MS = 365 * 24 * 60 * 60_000;

/** A delay as a whole number of milliseconds between 0 and a year; 0 for a value that is no number. */
export function delayMsOf(value: unknown): number {
  if (typeof value !== "number" || Number.isNaN(value)) return 0;
  return Math.trunc(Math.min(Math.max(value, 0), DELAY_MAX_MS));
}
