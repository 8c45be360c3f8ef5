/** `wall` is the time that a zone's clocks show, written as if it were UTC, in milliseconds. */

const DAY_MS = 24 * 60 * 60 * 1000;
const MINUTE_MS = 60_000;

const DAY_MINUTES = DAY_MS / MINUTE_MS;

/** A format takes 20 µs, and many schedules ask about the same days. */
const OFFSETS_MAX = 4_000;

/** A time zone of the runtime's IANA database. */
export interface Zone {
  /** Milliseconds by which its clocks are ahead of UTC. */
  offsetAt(instant: number): number;
  /**
   * The instant at which its clocks show a time.
   *
   * A skipped time is the first instant after the gap. Of a time that is shown twice, the first counts.
   */
  instantOf(wall: number): number;
}

/** A formatter takes tens of kilobytes, and thousands of schedules share a zone. */
const opened = new Map<string, Zone>();

/** @throws RangeError for a zone that the runtime does not know */
export function openZone(timeZone: string): Zone {
  const known = opened.get(timeZone.toLowerCase());
  if (known !== undefined) return known;
  const zone = createZone(timeZone);
  opened.set(timeZone.toLowerCase(), zone);
  return zone;
}

function createZone(timeZone: string): Zone {
  const format = new Intl.DateTimeFormat("en-US", { timeZone, timeZoneName: "longOffset" });
  const offsets = new Map<number, number>();
  const offsetOf = (minute: number) => {
    const known = offsets.get(minute);
    if (known !== undefined) return known;
    if (offsets.size >= OFFSETS_MAX) offsets.clear();
    const offset = parseOffset(format.formatToParts(minute * MINUTE_MS));
    offsets.set(minute, offset);
    return offset;
  };
  const offsetAt = (instant: number) => {
    const day = Math.floor(instant / DAY_MS) * DAY_MINUTES;
    const offset = offsetOf(day);
    // Clocks change at whole minutes, and not twice in a day: one that begins and ends alike has one offset.
    return offset === offsetOf(day + DAY_MINUTES) ? offset : offsetOf(Math.floor(instant / MINUTE_MS));
  };
  return {
    offsetAt,
    instantOf(wall) {
      // No zone changes its clocks twice within two days, so these are the offsets before and after a change.
      const before = offsetAt(wall - DAY_MS);
      const after = offsetAt(wall + DAY_MS);
      const candidates = [wall - before, wall - after].filter(
        (instant) => instant + offsetAt(instant) === wall,
      );
      return candidates.length > 0
        ? Math.min(...candidates)
        : endOfGap(wall - after, wall - before, offsetAt);
    },
  };
}

/** "GMT+10:30" → 37,800,000; "GMT" → 0 */
function parseOffset(parts: readonly Intl.DateTimeFormatPart[]): number {
  const text = parts.find(({ type }) => type === "timeZoneName")?.value ?? "GMT";
  const [, sign = "+", hours = "0", minutes = "0"] = /^GMT(?:([+-])(\d{2}):(\d{2}))?/.exec(text) ?? [];
  const ms = (Number(hours) * 60 + Number(minutes)) * 60_000;
  return sign === "-" ? -ms : ms;
}

/** The instant of the change of clocks between two instants, by bisection. */
function endOfGap(early: number, late: number, offsetAt: (instant: number) => number): number {
  const old = offsetAt(early);
  let [before, after] = [early, late];
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (offsetAt(middle) === old) before = middle;
    else after = middle;
  }
  return after;
}
