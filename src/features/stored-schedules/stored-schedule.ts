import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import type { Application } from "../../core/job/define-config.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import type { Schedule } from "../schedules/define-schedule.ts";
import { between, type Timetable } from "../schedules/timetable.ts";
import { contractOf, type RuntimeScheduleDefinition, scheduleOf } from "./definition.ts";

/** What Redis has of a schedule. Instants are milliseconds since 1970. */
export interface StoredSchedule {
  readonly name: string;
  /** The latest version; 0 if it was never put, or that is forgotten. */
  readonly version: number;
  /** Schedulers have submitted its ticks up to this instant. */
  readonly done: number;
  /** The oldest first. */
  readonly versions: readonly StoredVersion[];
}

/** In force for ticks after `since`, up to `until`. */
export interface StoredVersion {
  readonly version: number;
  readonly since: number;
  /** Infinity for the one in force. */
  readonly until: number;
  /** Encrypted, if there are keys; empty where the schedule was deleted. */
  readonly definition: string;
}

/** @param hash `put-schedule.lua` says of what */
export function storedScheduleOf(name: string, hash: Readonly<Record<string, string>>): StoredSchedule {
  const { version = 0, done = 0, ...stored } = hash;
  const texts = Object.entries(stored).sort(([one], [other]) => Number(one) - Number(other));
  const versions = texts.map(([number, text], index) => {
    const [since, definition] = cut(text);
    const until = index + 1 < texts.length ? cut(texts[index + 1]?.[1] ?? "")[0] : Number.POSITIVE_INFINITY;
    return { version: Number(number), since, until, definition };
  });
  return { name, version: Number(version), done: Number(done), versions };
}

function cut(text: string): [since: number, definition: string] {
  const space = text.indexOf(" ");
  return [Number(text.slice(0, space)), text.slice(space + 1)];
}

/** What texts of schedules are read with. */
export interface ReadWith {
  readonly application: Application;
  readonly codec: QueueStore["codec"];
}

/** The version in force; undefined if the schedule was deleted, or never put. */
export function inForce({ versions }: StoredSchedule): StoredVersion | undefined {
  const last = versions.at(-1);
  return last?.definition ? last : undefined;
}

/** What a definition's text is bound to: see `core/job/associated-data.ts`. */
export function associatedDataOf(name: string, version: number): string {
  return `schedule ${name} ${version}`;
}

/** @throws HoldfastError `DECRYPTION_FAILED` */
export function definitionOf(
  name: string,
  { version, definition }: StoredVersion,
  { codec }: Pick<ReadWith, "codec">,
): RuntimeScheduleDefinition {
  return JSON.parse(codec.decrypt(definition, associatedDataOf(name, version)));
}

/** A version with its own ticks alone. */
export interface Version {
  readonly until: number;
  readonly schedule: Schedule;
  /** Why this process cannot read it: then it has no tick here. */
  readonly fault: HoldfastError | undefined;
}

/** Those that are not deletions, the oldest first. */
export function versionsOf(stored: StoredSchedule, readWith: ReadWith): Version[] {
  const versions: Version[] = [];
  const versionAt = (at: number) => {
    const found = versions.find(({ schedule, until }) => (schedule.stored?.since ?? 0) < at && at <= until);
    if (found !== undefined) return found.schedule;
    throw new HoldfastError("SCHEDULE_NOT_FOUND", "The tick's version of the schedule is no longer kept");
  };
  for (const each of stored.versions.filter(({ definition }) => definition !== "")) {
    const { version, since, until } = each;
    const { fault, ...whole } = readable(stored.name, each, readWith);
    const timetable = between(whole.timetable, since + 1, until + 1);
    const pattern = between(whole.pattern, since + 1, until + 1);
    const schedule = { ...whole, timetable, pattern, stored: { version, since, versionAt } };
    versions.push({ until, schedule, fault });
  }
  return versions;
}

const never: Timetable = { next: () => undefined, latest: () => [] };

/** One unreadable schedule must not hide the others: its key or its zone may be unknown here. */
function readable(
  name: string,
  stored: StoredVersion,
  readWith: ReadWith,
): Schedule & Pick<Version, "fault"> {
  try {
    const definition = definitionOf(name, stored, readWith);
    const job = contractOf(readWith.application, definition.type);
    return { ...scheduleOf(name, definition, job), fault: undefined };
  } catch (error) {
    const fault =
      error instanceof HoldfastError
        ? error
        : new HoldfastError("INTERNAL", "What is stored is no definition", { cause: error });
    const job = contractOf(readWith.application, "unreadable");
    const empty = scheduleOf(name, { everyMs: 1_000, type: job.type, payload: null }, job);
    return { ...empty, when: `[${fault.message}]`, timetable: never, pattern: never, fault };
  }
}

/** A schedule with the ticks of all of its versions; undefined if it was deleted, or never put. */
export function wholeSchedule(stored: StoredSchedule, readWith: ReadWith): Schedule | undefined {
  const versions = versionsOf(stored, readWith).map(({ schedule }) => schedule);
  const current = versions.at(-1);
  if (current === undefined || inForce(stored) === undefined) return undefined;
  return {
    ...current,
    timetable: joined(versions.map(({ timetable }) => timetable)),
    pattern: joined(versions.map(({ pattern }) => pattern)),
  };
}

/** @param parts one after the other */
function joined(parts: readonly Timetable[]): Timetable {
  const latestFirst = parts.toReversed();
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
      for (const part of latestFirst)
        if (ticks.length < count) ticks.push(...part.latest(count - ticks.length, until));
      return ticks;
    },
  };
}
