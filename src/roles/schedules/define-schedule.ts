import { hash } from "node:crypto";
import { z } from "zod";
import { isContract, nameSchema, requireDefinition, unknownMembers } from "../../core/define/declaration.ts";
import type { JobContract } from "../../core/job/contract.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { exactDurationText } from "../../platform/lib/duration-text.ts";
import { between, cronTimetable, everyTimetable, type Timetable } from "./timetable.ts";
import { openZone } from "./zone.ts";

/** One due instant of a schedule. */
export interface Tick {
  /** The scheduled instant, not the time at which a scheduler gets to it. */
  readonly at: Date;
}

export const catchUpModes = ["none", "latest", "all"] as const;
export const overlaps = ["allow", "skip", "queue-one"] as const;

/** What happens to ticks that were missed because no scheduler ran. */
export interface CatchUp {
  /** `none`: they are skipped. `latest`: the last one runs. `all`: the last `max` run, the oldest first. */
  readonly mode: (typeof catchUpModes)[number];
  /** With `all`, how many run at most, 1 to 1,000. @default 100 */
  readonly max: number;
  /**
   * Milliseconds after which a missed tick is skipped, 1,000 to a year. Must be shorter than `HOLDFAST_RETENTION_MS`.
   *
   * @default 86_400_000 (a day)
   */
  readonly windowMs: number;
}

/**
 * What happens to a tick whose schedule's former job has not ended. `allow`: its job is submitted all the same. `skip`: the tick is
 * skipped. `queue-one`: one tick waits until that job has ended; further ones are skipped.
 */
export type Overlap = (typeof overlaps)[number];

/** What a schedule knows of its job. Of a type that this process does not know, it is all there is. */
export type ScheduledJob = Pick<JobContract, "type" | "queue" | "formerQueues" | "redact">;

/** When a job is due, and with which payload. */
export interface Schedule {
  readonly name: string;
  readonly job: ScheduledJob;
  readonly payload: (tick: Tick) => unknown;
  readonly catchUp: CatchUp;
  readonly overlap: Overlap;
  readonly timetable: Timetable;
  /** The timetable without `startAt` and `endAt`. */
  readonly pattern: Timetable;
  readonly jitterMs: number;
  /** For people, e.g. `0 9 * * 1-5 in Europe/Berlin`, `every 15 min`. */
  readonly when: string;
  /** The zone in which people read its times. */
  readonly timeZone: string;
  /** Undefined where the application declares it. */
  readonly stored?: StoredVersions;
}

/** One that an application declares, with its job's contract. */
export interface DeclaredSchedule extends Schedule {
  readonly job: JobContract;
}

/** The versions of a schedule that was put at run time. */
export interface StoredVersions {
  /** That of the version in force. */
  readonly version: number;
  /** Since when it is in force, in milliseconds since 1970. */
  readonly since: number;
  /**
   * The version that a tick belongs to: the one that was in force at its instant.
   *
   * @throws HoldfastError `SCHEDULE_NOT_FOUND` if it is no longer kept
   */
  versionAt(at: number): Schedule;
}

/** The schedule as it was when a tick was due. */
export function scheduleAt(schedule: Schedule, at: number): Schedule {
  return schedule.stored?.versionAt(at) ?? schedule;
}

interface ScheduleSettings {
  /** 1 to 64 lower-case letters, digits and dashes, starting with a letter. */
  readonly name: string;
  /**
   * What happens to missed ticks.
   *
   * @default { mode: "none" }
   * @example { mode: "all", max: 24, windowMs: 86_400_000 }
   */
  readonly catchUp?: { readonly mode: CatchUp["mode"]; readonly max?: number; readonly windowMs?: number };
  /** What happens to a tick while the job of an earlier one has not ended. @default "allow" */
  readonly overlap?: Overlap;
  /** The first instant at which there can be a tick. @default none */
  readonly startAt?: Date;
  /** From this instant on there is no tick. @default none */
  readonly endAt?: Date;
  /**
   * Each tick's job is delayed by 0 to this many milliseconds, at most a day, so that many schedules do not start at once. The delay is
   * made of the schedule's name and the tick; `tick.at` stays as it is.
   *
   * @default 0
   */
  readonly jitterMs?: number;
}

type SchedulePattern =
  | {
      /** Five fields: minute, hour, day of month, month, day of week. @example "0 9 * * 1-5" */
      readonly cron: string;
      /** The zone of `cron`'s times: a name of the IANA database. @example "Europe/Berlin" */
      readonly timeZone: string;
      readonly everyMs?: never;
    }
  | {
      /** Milliseconds between two ticks, at least 1,000, counted from 1970-01-01T00:00:00Z. */
      readonly everyMs: number;
      readonly cron?: never;
      readonly timeZone?: never;
    };

/** When it is due, and what else does not depend on its job. */
export type ScheduleTimes = ScheduleSettings & SchedulePattern;

export type ScheduleDefinition<PayloadIn> = ScheduleTimes & {
  readonly job: JobContract<string, PayloadIn>;
  /**
   * Makes the payload. It must return the same content for the same tick, since several schedulers may call it.
   *
   * @example ({ at }) => ({ day: at.toISOString().slice(0, 10) })
   */
  readonly payload: (tick: Tick) => PayloadIn;
};

const MEMBERS: readonly (keyof ScheduleDefinition<unknown>)[] = [
  "name",
  "job",
  "payload",
  "cron",
  "timeZone",
  "everyMs",
  "catchUp",
  "overlap",
  "startAt",
  "endAt",
  "jitterMs",
];
const SHORTEST_PERIOD_MS = 1_000;
const DAY_MS = 24 * 60 * 60 * 1000;

/** What does not depend on when it is due. */
const commonSchema = z
  .object({
    name: nameSchema,
    catchUp: z.strictObject({
      mode: z.enum(catchUpModes),
      max: z.number().int().min(1).max(1_000).default(100),
      windowMs: z
        .number()
        .int()
        .min(SHORTEST_PERIOD_MS)
        .max(366 * DAY_MS)
        .default(DAY_MS),
    }),
    overlap: z.enum(overlaps).default("allow"),
    startAt: z.date().optional(),
    endAt: z.date().optional(),
    jitterMs: z.number().int().min(0).max(DAY_MS).default(0),
  })
  .refine(({ startAt, endAt }) => startAt === undefined || endAt === undefined || startAt < endAt, {
    path: ["endAt"],
    message: "expected an instant after startAt",
  });

/**
 * Declares a schedule: by `cron` and `timeZone`, or by `everyMs`.
 *
 * @throws HoldfastError `APPLICATION_INVALID` with the first fault
 * @example
 * export const monthlyReport = defineSchedule({
 *   name: "monthly-report",
 *   cron: "0 6 1 * *",
 *   timeZone: "Europe/Berlin",
 *   job: report,
 *   payload: ({ at }) => ({ month: at.toISOString().slice(0, 7) }),
 *   catchUp: { mode: "latest" },
 * });
 */
export function defineSchedule<PayloadIn>(definition: ScheduleDefinition<PayloadIn>): DeclaredSchedule {
  requireDefinition(definition, "defineSchedule");
  const { name, job, payload } = definition;
  const [unknown] = unknownMembers(Object.keys(definition), MEMBERS);
  if (unknown !== undefined) throw invalid(name, "", unknown);
  if (!isContract(job)) throw invalid(name, "job", "expected a contract, as defineJob returns it");
  if (typeof payload !== "function")
    throw invalid(name, "payload", "expected a function that makes it, such as ({ at }) => ({ day: at })");
  return { ...withTimes(definition), job, payload };
}

/** @throws HoldfastError `APPLICATION_INVALID` with the first fault */
export function withTimes(definition: ScheduleTimes): Omit<Schedule, "job" | "payload"> {
  const { name } = definition;
  const common = commonSchema.safeParse({ ...definition, catchUp: definition.catchUp ?? { mode: "none" } });
  if (!common.success) {
    const [issue] = common.error.issues;
    throw invalid(name, `${issue?.path.join(".")}`, `${issue?.message}`);
  }
  const { startAt, endAt, jitterMs, ...rest } = common.data;
  const { pattern, when, timeZone } = patternOf(definition);
  const limits = [
    startAt && `, from ${startAt.toISOString()}`,
    endAt && `, until ${endAt.toISOString()}`,
    jitterMs > 0 && `, spread over ${exactDurationText(jitterMs)}`,
  ];
  return {
    ...rest,
    jitterMs,
    timetable: between(pattern, startAt?.getTime(), endAt?.getTime()),
    pattern,
    when: [when, ...limits.filter(Boolean)].join(""),
    timeZone,
  };
}

function patternOf(definition: ScheduleTimes) {
  const { name, everyMs } = definition;
  if (everyMs !== undefined) {
    if (definition.cron !== undefined || definition.timeZone !== undefined)
      throw invalid(name, "", "expected cron and timeZone, or everyMs, got both");
    return { pattern: every(name, everyMs), when: `every ${exactDurationText(everyMs)}`, timeZone: "UTC" };
  }
  const { cron, timeZone } = definition;
  return { pattern: byCron(name, cron, timeZone), when: `${cron} in ${timeZone}`, timeZone };
}

/** How long a tick's job is delayed: the same for every scheduler. */
export function jitterOf({ name, jitterMs }: Schedule, at: number): number {
  if (jitterMs === 0) return 0;
  const random = Number.parseInt(hash("sha256", `${name}\0${at}`, "hex").slice(0, 12), 16) / 2 ** 48;
  return Math.floor(random * (jitterMs + 1));
}

function every(name: string, everyMs: number): Timetable {
  if (Number.isSafeInteger(everyMs) && everyMs >= SHORTEST_PERIOD_MS) return everyTimetable(everyMs);
  throw invalid(
    name,
    "everyMs",
    `expected a whole number of milliseconds, at least ${SHORTEST_PERIOD_MS}, got ${everyMs}`,
  );
}

function byCron(name: string, cron: string, timeZone: string): Timetable {
  try {
    openZone(timeZone);
  } catch {
    throw invalid(name, "timeZone", `expected a name of the IANA database, got "${timeZone}"`);
  }
  try {
    const timetable = cronTimetable(cron, timeZone);
    if (timetable.next(Date.now()) !== undefined) return timetable;
  } catch {
    throw invalid(name, "cron", `expected five fields such as "0 9 * * 1-5", got "${cron}"`);
  }
  throw invalid(name, "cron", `expected a pattern with a date that exists, got "${cron}"`);
}

/** @param member whose value is wrong; "" for several together */
function invalid(name: string, member: string, message: string): HoldfastError {
  const text = member === "" ? message : `${member}: ${message}`;
  const pointer = member === "" ? "" : `/${member.replaceAll(".", "/")}`;
  return new HoldfastError("APPLICATION_INVALID", `schedule "${name}": ${text}`, {
    issues: [{ pointer, message }],
  });
}
