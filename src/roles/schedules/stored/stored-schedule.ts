import type { QueueStore } from "../../../core/bullmq/store/queue-store.ts";
import type { Application } from "../../../core/job/application.ts";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { canonicalJson } from "../../../platform/lib/canonical-json.ts";
import type { Schedule } from "../define-schedule.ts";
import { type RuntimeScheduleDefinition, scheduledJob, scheduleOf } from "../definition.ts";
import { never } from "../timetable.ts";
import { type Version, withAllTicks, withOwnTicks } from "../versions.ts";

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

interface StoredVersion extends Pick<Version, "version" | "since" | "until"> {
  /** Encrypted, if there are keys; empty where the schedule was deleted. */
  readonly definition: string;
}

/** @param hash `put-schedule.lua` says of what */
export function storedScheduleOf(name: string, hash: Readonly<Record<string, string>>): StoredSchedule {
  const { version = 0, done = 0, ...texts } = hash;
  const versions = Object.entries(texts)
    .map(([number, text]) => {
      const space = text.indexOf(" ");
      const [since, definition] = [Number(text.slice(0, space)), text.slice(space + 1)];
      return { version: Number(number), since, definition };
    })
    .sort((one, other) => one.version - other.version)
    .map((each, at, all) => ({ ...each, until: all[at + 1]?.since ?? Number.POSITIVE_INFINITY }));
  return { name, version: Number(version), done: Number(done), versions };
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

/** Whether the version in force says the same, encrypted as it would be now. @param wanted undefined for a deletion */
export function says(
  stored: StoredSchedule,
  wanted: RuntimeScheduleDefinition | undefined,
  readWith: ReadWith,
): boolean {
  const current = inForce(stored);
  if (current === undefined || wanted === undefined) return current === wanted;
  if (!readWith.codec.isCurrent(current.definition)) return false;
  const [one, other] = [definitionOf(stored.name, current, readWith), wanted].map(canonicalJson);
  return one?.kind === "json" && other?.kind === "json" && one.text === other.text;
}

/** Each with its own ticks alone, without the deletions, the oldest first. */
export function versionsOf({ name, versions }: StoredSchedule, readWith: ReadWith): Version[] {
  const read = versions.filter(({ definition }) => definition !== "");
  return withOwnTicks(read.map((each) => ({ ...each, ...readable(name, each, readWith) })));
}

/** One unreadable schedule must not hide the others: its key or its zone may be unknown here. */
function readable(
  name: string,
  version: StoredVersion,
  readWith: ReadWith,
): Pick<Version, "schedule" | "fault"> {
  try {
    const definition = definitionOf(name, version, readWith);
    const job = scheduledJob(readWith.application, definition.type);
    return { schedule: scheduleOf(name, definition, job) };
  } catch (cause) {
    const fault =
      cause instanceof HoldfastError
        ? cause
        : new HoldfastError("INTERNAL", "What is stored is no definition", { cause });
    const job = scheduledJob(readWith.application, "unreadable");
    const empty = scheduleOf(name, { everyMs: 1_000, type: job.type, payload: null }, job);
    return { schedule: { ...empty, when: `[${fault.message}]`, timetable: never, pattern: never }, fault };
  }
}

/** As many versions as people look back at are kept for them. */
const VERSIONS_KEPT = 20;

/** Versions whose ticks are submitted, and neither recent nor remembered. */
export function forgettable(stored: StoredSchedule, readWith: ReadWith, retentionMs: number): number[] {
  const { done } = stored;
  const past = stored.versions.filter(({ until }) => until <= done).map(({ version }) => version);
  const ticked = versionsOf(stored, readWith)
    .filter(({ schedule: { timetable } }) => (timetable.latest(1, done)[0] ?? 0) > done - retentionMs)
    .map(({ version }) => version);
  const kept = past.slice(-VERSIONS_KEPT).filter((version) => ticked.includes(version));
  return past.filter((version) => !kept.includes(version));
}

/** A schedule with the ticks of all of its versions; undefined if it was deleted, or never put. */
export function wholeSchedule(stored: StoredSchedule, readWith: ReadWith): Schedule | undefined {
  return inForce(stored) && withAllTicks(versionsOf(stored, readWith));
}
