/** The end of the year 9999. Later instants have no ISO 8601 form that every reader knows. */
export const TIME_MAX_MS = 253_402_300_799_999;

/** Milliseconds since 1970 as ISO 8601 in UTC. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** A `Date` as ISO 8601 in UTC, also one of another realm; undefined for anything else. */
export function isoOfDate(date: unknown): string | undefined {
  const ms = Object.prototype.toString.call(date) === "[object Date]" ? Number(date) : Number.NaN;
  return Number.isNaN(ms) ? undefined : isoTime(ms);
}

/** Milliseconds as ISO 8601; null for no instant. */
export function isoOrNull(ms: number | null | undefined): string | null {
  return ms == null ? null : isoTime(ms);
}

/** The same for any stored value: the nearest instant that can be written, 1970 for a value that is no number. */
export function nearestTime(ms: unknown): string {
  const number = Number(ms === "inf" ? Number.POSITIVE_INFINITY : ms) || 0;
  return isoTime(Math.min(Math.max(number, 0), TIME_MAX_MS));
}
