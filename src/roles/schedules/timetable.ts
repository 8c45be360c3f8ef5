import { Cron } from "croner";
import { openZone, type Zone } from "./zone.ts";

/** When a schedule is due. Instants are milliseconds since 1970-01-01T00:00:00Z. */
export interface Timetable {
  /** The first tick after an instant; undefined if there is none. */
  next(after: number): number | undefined;
  /** The latest ticks at or before an instant, the latest first. */
  latest(count: number, until: number): number[];
}

const HORIZON_MS = 4 * 366 * 24 * 60 * 60 * 1000;
const DAY_MS = 24 * 60 * 60 * 1000;
const BATCH_MAX = 16;

/** Ticks at whole multiples of a period since 1970. */
export function everyTimetable(everyMs: number): Timetable {
  const bucket = (instant: number) => Math.floor(instant / everyMs);
  return {
    next: (after) => (bucket(after) + 1) * everyMs,
    latest: (count, until) => Array.from({ length: count }, (_, index) => (bucket(until) - index) * everyMs),
  };
}

/** Schedules that are stored are made anew each time that they are read, and many have one pattern. */
const opened = new Map<string, Timetable>();
const OPENED_MAX = 1_000;

/** Such as `@daily`. */
const NICKNAME = /^\s*@[a-z]+\s*$/i;

/**
 * Ticks once for each clock time of a zone that the pattern matches.
 *
 * It matches clock times first and converts them to instants after, so `instantOf` alone decides what a change of the clocks
 * means.
 *
 * @param pattern five fields: minute, hour, day of month, month, day of week; or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`
 * @throws Error when the pattern or the zone is not valid
 */
export function cronTimetable(pattern: string, timeZone: string): Timetable {
  const name = `${pattern}\n${timeZone}`;
  const timetable = opened.get(name) ?? openCron(pattern, timeZone);
  // Again, so that the one that was not asked for longest is the first.
  opened.delete(name);
  opened.set(name, timetable);
  const [oldest] = opened.keys();
  if (opened.size > OPENED_MAX && oldest !== undefined) opened.delete(oldest);
  return timetable;
}

function openCron(pattern: string, timeZone: string): Timetable {
  const zone = openZone(timeZone);
  // Croner also accepts a date, which would be no pattern once it is past.
  if (!NICKNAME.test(pattern) && pattern.trim().split(/\s+/).length !== 5)
    throw new Error("expected five fields");
  // Croner matches clock times written as UTC, and converts nothing: by an offset, since it would format each time of a named zone.
  const cron = new Cron(pattern, { utcOffset: 0, mode: "5-part", paused: true });
  return remembering({
    next: (after) => nextTick(cron, zone, after),
    latest: (count, until) => latestTicks(cron, zone, count, until),
  });
}

/** Ticks that follow each other without a gap: `ticks[0]` is the first one after `from`. */
interface Run {
  from: number;
  readonly ticks: number[];
}
/** A list of schedules asks for at most 100 ticks ahead. */
const RUN_MAX = 128;
const KNOWN_MAX = 8;

/** Between two ticks the answers stay the same, and those of rare patterns take long to find. */
function remembering({ next, latest }: Timetable): Timetable {
  const runs: Run[] = [];
  const knownLatest: { readonly count: number; readonly before: number; readonly ticks: number[] }[] = [];
  const remembered: Timetable = {
    next(after) {
      const run = runs.find(({ from, ticks }) => from <= after && after <= (ticks.at(-1) ?? from));
      const known = run?.ticks.find((at) => at > after);
      if (known !== undefined) return known;
      const at = next(after);
      if (at === undefined) return undefined;
      if (run === undefined) {
        runs.unshift({ from: after, ticks: [at] });
        runs.length = Math.min(runs.length, KNOWN_MAX);
      } else {
        run.ticks.push(at);
        if (run.ticks.length > RUN_MAX) run.from = run.ticks.shift() ?? run.from;
      }
      return at;
    },
    latest(count, until) {
      const before = remembered.next(until);
      if (before === undefined) return latest(count, until);
      const known = knownLatest.find((each) => each.count === count && each.before === before);
      // Between the last tick and the next, which nothing but an earlier instant precedes.
      if (known !== undefined && until >= (known.ticks[0] ?? Number.POSITIVE_INFINITY))
        return [...known.ticks];
      const ticks = latest(count, until);
      knownLatest.unshift({ count, before, ticks });
      knownLatest.length = Math.min(knownLatest.length, KNOWN_MAX);
      return [...ticks];
    },
  };
  return remembered;
}

/**
 * A timetable's ticks between two instants.
 *
 * @param startAt the first instant at which there can be a tick
 * @param endAt from then on there is none
 */
export function between(
  { next, latest }: Timetable,
  startAt = Number.NEGATIVE_INFINITY,
  endAt = Number.POSITIVE_INFINITY,
): Timetable {
  return {
    next(after) {
      const at = next(Math.max(after, startAt - 1));
      return at !== undefined && at < endAt ? at : undefined;
    },
    latest: (count, until) => latest(count, Math.min(until, endAt - 1)).filter((at) => at >= startAt),
  };
}

export const never: Timetable = { next: () => undefined, latest: () => [] };

function nextTick(cron: Cron, zone: Zone, after: number): number | undefined {
  // The earliest time that the zone's clocks show near this instant.
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
  // The latest time that the zone's clocks show near this instant, plus 1: `previousRuns` excludes its argument.
  let wall =
    1 + until + Math.max(zone.offsetAt(until - DAY_MS), zone.offsetAt(until), zone.offsetAt(until + DAY_MS));
  // Of a rare pattern each further match is years away, and takes as long to find as all ticks of others.
  let batch = 1;
  while (ticks.size < count && until - wall < HORIZON_MS) {
    const matches = cron.previousRuns(batch, new Date(wall)).map((match) => match.getTime());
    for (const instant of matches.map((match) => zone.instantOf(match)))
      if (instant <= until) ticks.add(instant);
    const earliest = matches.at(-1);
    if (earliest === undefined) break;
    wall = earliest;
    batch = until - wall < 31 * DAY_MS ? Math.min(2 * batch, BATCH_MAX) : 1;
  }
  return [...ticks].slice(0, count);
}
