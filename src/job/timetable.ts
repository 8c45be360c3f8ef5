import { Cron } from "croner";
import { openZone, type Zone } from "./zone.ts";

/** When a schedule is due. All instants are milliseconds since 1970-01-01T00:00:00Z. */
export interface Timetable {
  /** The first tick after an instant; undefined when there is none within four years. */
  next(after: number): number | undefined;
  /** The latest ticks at or before an instant, the latest first. */
  latest(count: number, until: number): number[];
}

const HORIZON_MS = 4 * 366 * 24 * 60 * 60 * 1000;
const DAY_MS = 24 * 60 * 60 * 1000;
const BATCH = 16;

/** Ticks at whole multiples of a period since 1970. */
export function everyTimetable(everyMs: number): Timetable {
  const bucket = (instant: number) => Math.floor(instant / everyMs);
  return {
    next: (after) => (bucket(after) + 1) * everyMs,
    latest: (count, until) => Array.from({ length: count }, (_, index) => (bucket(until) - index) * everyMs),
  };
}

/**
 * Ticks whenever the clocks of a zone show a time that the pattern matches, once for each such time.
 *
 * The pattern is matched against clock times, and each is then turned into its instant, so that what a change of the
 * clocks means is decided in one place, for every pattern alike.
 *
 * @param pattern five fields: minute, hour, day of month, month, day of week
 * @throws Error when the pattern or the zone is not valid
 */
export function cronTimetable(pattern: string, timeZone: string): Timetable {
  const zone = openZone(timeZone);
  // Clock times are handed over as if they were UTC: this only matches, and never converts.
  const cron = new Cron(pattern, { timezone: "UTC", mode: "5-part", paused: true });
  return {
    next: (after) => nextTick(cron, zone, after),
    latest: (count, until) => latestTicks(cron, zone, count, until),
  };
}

function nextTick(cron: Cron, zone: Zone, after: number): number | undefined {
  // The earliest that any clock near this instant shows.
  let wall =
    after + Math.min(zone.offsetAt(after - DAY_MS), zone.offsetAt(after), zone.offsetAt(after + DAY_MS));
  while (wall - after < HORIZON_MS) {
    const match = cron.nextRun(new Date(wall));
    if (match === null) return undefined;
    wall = match.getTime();
    const instant = zone.instantOf(wall);
    if (instant > after) return instant;
  }
  return undefined;
}

function latestTicks(cron: Cron, zone: Zone, count: number, until: number): number[] {
  const ticks = new Set<number>();
  // The latest that any clock near this instant shows; one more, since what comes before it is asked for.
  let wall =
    1 + until + Math.max(zone.offsetAt(until - DAY_MS), zone.offsetAt(until), zone.offsetAt(until + DAY_MS));
  while (ticks.size < count && until - wall < HORIZON_MS) {
    const matches = cron.previousRuns(BATCH, new Date(wall)).map((match) => match.getTime());
    for (const instant of matches.map((match) => zone.instantOf(match)))
      if (instant <= until) ticks.add(instant);
    const earliest = matches.at(-1);
    if (earliest === undefined) break;
    wall = earliest;
  }
  return [...ticks].slice(0, count);
}
