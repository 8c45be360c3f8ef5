/** Milliseconds since 1970 as ISO 8601 in UTC. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** The same, and null for an instant that there is none of. */
export function isoOrNull(ms: number | null | undefined): string | null {
  return ms == null ? null : isoTime(ms);
}
