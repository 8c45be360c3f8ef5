import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import type { Schedule } from "./define-schedule.ts";
import { between, type Timetable } from "./timetable.ts";

/** In force for ticks after `since`, up to `until`. */
export interface Version {
  readonly version: number;
  readonly since: number;
  /** Infinity for the one in force. */
  readonly until: number;
  readonly schedule: Schedule;
  /** Why this process cannot read it: then it has no tick here. */
  readonly fault?: HoldfastError;
}

/** @param versions the oldest first @returns each with its own ticks alone */
export function withOwnTicks(versions: readonly Version[]): Version[] {
  const own = versions.map((each): Version => {
    const { version, since, until, schedule } = each;
    const timetable = between(schedule.timetable, since + 1, until + 1);
    const pattern = between(schedule.pattern, since + 1, until + 1);
    return { ...each, schedule: { ...schedule, timetable, pattern, stored: { version, since, versionAt } } };
  });
  function versionAt(at: number): Schedule {
    const found = own.find(({ since, until }) => since < at && at <= until);
    if (found !== undefined) return found.schedule;
    throw new HoldfastError("SCHEDULE_NOT_FOUND", "The tick's version of the schedule is no longer kept");
  }
  return own;
}

/** The latest version with the ticks of all. @param versions the oldest first */
export function withAllTicks(versions: readonly Version[]): Schedule | undefined {
  const schedules = versions.map(({ schedule }) => schedule);
  const latest = schedules.at(-1);
  return (
    latest && {
      ...latest,
      timetable: joined(schedules.map(({ timetable }) => timetable)),
      pattern: joined(schedules.map(({ pattern }) => pattern)),
    }
  );
}

/** @param parts one after the other */
function joined(parts: readonly Timetable[]): Timetable {
  return {
    next(after) {
      for (const part of parts) {
        const at = part.next(after);
        if (at !== undefined) return at;
      }
      return undefined;
    },
    latest(count, until) {
      const ticks: number[] = [];
      for (const part of parts.toReversed())
        if (ticks.length < count) ticks.push(...part.latest(count - ticks.length, until));
      return ticks;
    },
  };
}
