import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { newlyDue, startingPoint } from "../../../src/roles/schedules/agenda.ts";
import type { defineSchedule } from "../../../src/roles/schedules/define-schedule.ts";
import type { Random } from "../../../test/support/random.ts";
import type { Testbed } from "./testbed.ts";

/** What a scheduler did around daylight-saving changes. */
export interface Crossed {
  readonly changes: number;
  readonly ticks: number;
  readonly missed: number;
  /** Ticks that were not due, or came twice. */
  readonly wrong: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const QUARTER_MS = 15 * MINUTE_MS;
/** Shorter than the catch-up window below, so that no tick is out of reach. */
const LONGEST_PAUSE_MS = 40 * MINUTE_MS;

/** Both changes of 2026 in each zone. Lord Howe's are half an hour. */
const changes: readonly [string, string][] = [
  ["Europe/Berlin", "2026-03-29T01:00Z"],
  ["Europe/Berlin", "2026-10-25T01:00Z"],
  ["America/New_York", "2026-03-08T07:00Z"],
  ["America/New_York", "2026-11-01T06:00Z"],
  ["Australia/Lord_Howe", "2026-04-04T15:00Z"],
  ["Australia/Lord_Howe", "2026-10-03T15:30Z"],
];

/** Runs a quarter-hourly schedule for a day around each change, with pauses and clock jumps. */
export async function runAcrossChanges({ installation }: Testbed, random: Random): Promise<Crossed> {
  const module = (file: string) => import(pathToFileURL(join(installation.directory, "build", file)).href);
  const agenda: Agenda = await module("roles/schedules/agenda.js");
  const contract: { defineSchedule: typeof defineSchedule } = await module(
    "roles/schedules/define-schedule.js",
  );
  const job = (await installation.library()).application.jobs.get("tick");
  if (job === undefined) throw new Error("There is no job tick");
  const crossed = changes.map(([timeZone, change]) => {
    const catchUp = { mode: "all", max: 11, windowMs: HOUR_MS } as const;
    const times = { cron: "*/15 * * * *", timeZone, catchUp };
    const schedule = contract.defineSchedule({
      name: "quarters",
      job,
      payload: () => ({ at: "" }),
      ...times,
    });
    const [from, to] = [Date.parse(change) - DAY_MS / 2, Date.parse(change) + DAY_MS / 2];
    return compare(expected(timeZone, from, to), ticksOf(agenda, schedule, from, to, random));
  });
  const total = (count: (one: (typeof crossed)[number]) => number) =>
    crossed.reduce((sum, one) => sum + count(one), 0);
  return {
    changes: changes.length,
    ticks: total(({ ticks }) => ticks),
    missed: total(({ missed }) => missed),
    wrong: total(({ wrong }) => wrong),
  };
}

interface Agenda {
  readonly startingPoint: typeof startingPoint;
  readonly newlyDue: typeof newlyDue;
}

/** Checks at random moments, up to forty minutes apart; one in twenty times the clock is set back an hour. */
function ticksOf(
  { startingPoint, newlyDue }: Agenda,
  schedule: ReturnType<typeof defineSchedule>,
  from: number,
  to: number,
  random: Random,
): number[] {
  const ticks: number[] = [];
  let now = from - 1;
  let progress = startingPoint(schedule, now);
  while (progress.seenUntil < to) {
    now += random.between(1, LONGEST_PAUSE_MS);
    if (random.next() < 0.05) now -= HOUR_MS;
    ticks.push(...newlyDue(schedule, progress, now));
    progress = { ...progress, seenUntil: Math.max(progress.seenUntil, now) };
  }
  return ticks.filter((at) => at >= from && at < to);
}

/** Derives the same ticks without cron and offsets, minute by minute from the zone's wall clock. */
function expected(timeZone: string, from: number, to: number): number[] {
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "short" });
  const shownAt = (instant: number) => Date.parse(`${format.format(instant).replace(" ", "T")}Z`);
  const shown = new Set<number>();
  const ticks: number[] = [];
  let last = shownAt(from - DAY_MS);
  for (let instant = from - DAY_MS; instant < to; instant += MINUTE_MS) {
    const wall = shownAt(instant);
    let isDue = false;
    // Starting one minute later than last time, so that skipped times count as shown now.
    for (let time = Math.min(last + MINUTE_MS, wall); time <= wall; time += MINUTE_MS) {
      isDue ||= time % QUARTER_MS === 0 && !shown.has(time);
      shown.add(time);
    }
    if (isDue && instant >= from) ticks.push(instant);
    last = wall;
  }
  return ticks;
}

function compare(wanted: readonly number[], ran: readonly number[]) {
  const [due, done] = [new Set(wanted), new Set(ran)];
  return {
    ticks: wanted.length,
    missed: wanted.filter((at) => !done.has(at)).length,
    wrong: ran.filter((at) => !due.has(at)).length + ran.length - done.size,
  };
}
