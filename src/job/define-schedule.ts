import { z } from "zod";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { exactDurationText } from "../lib/duration-text.ts";
import type { JobContract } from "./define-job.ts";
import { cronTimetable, everyTimetable, type Timetable } from "./timetable.ts";

/** One due moment of a schedule. */
export interface Tick {
  /** The scheduled instant, not the moment a scheduler got to it. */
  readonly at: Date;
}

/** What becomes of ticks that no scheduler was there for. */
export interface CatchUp {
  /** `none`: they are skipped. `latest`: the last one runs. `all`: the last `max` run, oldest first. */
  readonly mode: "none" | "latest" | "all";
  /** How many at most, 1 to 1,000; for `all`. @default 100 */
  readonly max: number;
  /** Milliseconds after which a tick is given up; must be shorter than keys are remembered. @default a day */
  readonly windowMs: number;
}

/** When a job is due, and with which payload. */
export interface Schedule {
  readonly name: string;
  readonly job: JobContract;
  readonly payload: (tick: Tick) => unknown;
  readonly catchUp: CatchUp;
  readonly timetable: Timetable;
  /** For people, e.g. `0 9 * * 1-5 in Europe/Berlin`, `every 15 min`. */
  readonly when: string;
  /** The zone its times are told in. */
  readonly timeZone: string;
}

interface ScheduleBase<PayloadIn> {
  /** 1 to 64 lower-case letters, digits and dashes, beginning with a letter. */
  readonly name: string;
  readonly job: JobContract<string, PayloadIn>;
  /** Makes the payload; called with the same tick it must give the same content. */
  readonly payload: (tick: Tick) => PayloadIn;
  /** @default { mode: "none" } */
  readonly catchUp?: { readonly mode: CatchUp["mode"]; readonly max?: number; readonly windowMs?: number };
}

export type ScheduleDefinition<PayloadIn> = ScheduleBase<PayloadIn> &
  (
    | {
        /** Five fields: minute, hour, day of month, month, day of week. */
        readonly cron: string;
        /** A name of the IANA database, e.g. `Europe/Berlin`; the clocks that `cron` is read against. */
        readonly timeZone: string;
      }
    | {
        /** Milliseconds between two ticks, counted from 1970-01-01T00:00:00Z: at least 1,000. */
        readonly everyMs: number;
      }
  );

const NAME = /^[a-z][a-z0-9-]{0,63}$/;
const SHORTEST_PERIOD_MS = 1_000;
const DAY_MS = 24 * 60 * 60 * 1000;

const catchUpSchema = z.strictObject({
  mode: z.enum(["none", "latest", "all"]),
  max: z.number().int().min(1).max(1_000).default(100),
  windowMs: z
    .number()
    .int()
    .min(SHORTEST_PERIOD_MS)
    .max(366 * DAY_MS)
    .default(DAY_MS),
});

/**
 * Declares a schedule.
 *
 * @throws HoldfastError `APPLICATION_INVALID` when its name, times or catch-up are not possible
 */
export function defineSchedule<PayloadIn>(definition: ScheduleDefinition<PayloadIn>): Schedule {
  const { name, job, payload } = definition;
  if (!NAME.test(name)) {
    throw invalid(
      name,
      "name: expected 1 to 64 lower-case letters, digits and dashes, beginning with a letter",
    );
  }
  const catchUp = catchUpSchema.safeParse(definition.catchUp ?? { mode: "none" });
  if (!catchUp.success) {
    const [issue] = catchUp.error.issues;
    throw invalid(name, `catchUp.${issue?.path.join(".")}: ${issue?.message}`);
  }
  const base = { name, job, payload, catchUp: catchUp.data };
  if ("everyMs" in definition) {
    const { everyMs } = definition;
    return {
      ...base,
      timetable: every(name, everyMs),
      when: `every ${exactDurationText(everyMs)}`,
      timeZone: "UTC",
    };
  }
  const { cron, timeZone } = definition;
  return { ...base, timetable: byCron(name, cron, timeZone), when: `${cron} in ${timeZone}`, timeZone };
}

/** The idempotency key of a tick: the whole state that a schedule has. */
export function tickKey(schedule: Schedule, at: number): string {
  return `schedule:${schedule.name}:${new Date(at).toISOString()}`;
}

/** The idempotency key of a run that somebody asked for. */
export function runNowKey(schedule: Schedule, request: string): string {
  return `schedule:${schedule.name}:now:${request}`;
}

function every(name: string, everyMs: number): Timetable {
  if (Number.isSafeInteger(everyMs) && everyMs >= SHORTEST_PERIOD_MS) return everyTimetable(everyMs);
  throw invalid(
    name,
    `everyMs: expected a whole number of milliseconds, at least ${SHORTEST_PERIOD_MS}, got ${everyMs}`,
  );
}

function byCron(name: string, cron: string, timeZone: string): Timetable {
  const timetable = openTimetable(name, cron, timeZone);
  if (timetable.next(Date.now()) === undefined) {
    throw invalid(name, `cron: expected a pattern with a date that exists, got "${cron}"`);
  }
  return timetable;
}

function openTimetable(name: string, cron: string, timeZone: string): Timetable {
  try {
    return cronTimetable(cron, timeZone);
  } catch (cause) {
    if (cause instanceof RangeError)
      throw invalid(name, `timeZone: expected a name of the IANA database, got "${timeZone}"`);
    throw invalid(name, `cron: expected five fields such as "0 9 * * 1-5", got "${cron}"`);
  }
}

function invalid(name: string, message: string): HoldfastError {
  return new HoldfastError("APPLICATION_INVALID", `schedule "${name}": ${message}`);
}
