/** What {@link instantOf} reads, for messages. */
export const INSTANT_EXPECTED =
  "an instant such as 2026-12-01T09:00:00Z, a day such as 2026-12-01, or an age such as 90s, 30min, 12h or 7d";

const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
};

const AGE = /^(\d{1,9})\s?([a-z]{1,3})$/;
const DAY = /^\d{4}-\d\d-\d\d$/;
const INSTANT =
  /^\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/;

/** Milliseconds of a length of time such as `90s`, `30min`, `12h` or `7d`; undefined for any other text. */
export function durationOf(text: string): number | undefined {
  const [, number = "", unit = ""] = AGE.exec(text) ?? [];
  const size = unitMs[unit];
  return size === undefined ? undefined : Number(number) * size;
}

/**
 * Milliseconds since 1970 of an instant of the past as people write it; undefined for any other text.
 *
 * @param text ISO 8601 with a zone; a day, which is its beginning in UTC; or an age, which counts back from `now`
 * @param now milliseconds since 1970
 */
export function instantOf(text: string, now: number): number | undefined {
  const age = durationOf(text);
  if (age !== undefined) return Math.max(0, now - age);
  if (!DAY.test(text) && !INSTANT.test(text)) return undefined;
  const day = text.slice(0, 10);
  const isInCalendar = new Date(`${day}T00:00:00Z`).toJSON()?.startsWith(day) === true;
  return isInCalendar ? Date.parse(text) : undefined;
}
