import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { defineSchedule } from "../../src/job/define-schedule.ts";
import type { newlyDue, startingPoint } from "../../src/schedule/agenda.ts";
import type { Bench } from "./bench.ts";
import type { Random } from "./random.ts";

/** What a scheduler whose clock is in the laboratory's hand made of the changes of the clocks. */
export interface Crossed {
  readonly changes: number;
  readonly ticks: number;
  readonly missed: number;
  /** Ticks that are none, or that came twice. */
  readonly wrong: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const QUARTER_MS = 15 * MINUTE_MS;
/** Shorter than the catch-up window below, so that nothing is out of its reach. */
const LONGEST_PAUSE_MS = 40 * MINUTE_MS;

/** Both changes of 2026 in each zone: Lord Howe's are of half an hour. */
const changes: readonly [string, string][] = [
  ["Europe/Berlin", "2026-03-29T01:00Z"],
  ["Europe/Berlin", "2026-10-25T01:00Z"],
  ["America/New_York", "2026-03-08T07:00Z"],
  ["America/New_York", "2026-11-01T06:00Z"],
  ["Australia/Lord_Howe", "2026-04-04T15:00Z"],
  ["Australia/Lord_Howe", "2026-10-03T15:30Z"],
];

/** Follows a schedule of every quarter of an hour for a day around each change, with pauses and jumps of the clock. */
export async function crossChanges({ directory, installation }: Bench, random: Random): Promise<Crossed> {
  const dist = (file: string) => import(pathToFileURL(join(directory, "installation/dist", file)).href);
  const agenda: Agenda = await dist("scheduler/agenda.js");
  const contract: { defineSchedule: typeof defineSchedule } = await dist("contract/define-schedule.js");
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
    return compare(expected(timeZone, from, to), follow(agenda, schedule, from, to, random));
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

/** Looks at odd moments, up to forty minutes apart; at one in twenty the clock has been set back an hour. */
function follow(
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

/** Walks minute by minute and watches the clocks of the zone: another way to the same ticks, with no cron and no offsets. */
function expected(timeZone: string, from: number, to: number): number[] {
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "short" });
  const shownAt = (instant: number) => Date.parse(`${format.format(instant).replace(" ", "T")}Z`);
  const shown = new Set<number>();
  const ticks: number[] = [];
  let last = shownAt(from - DAY_MS);
  for (let instant = from - DAY_MS; instant < to; instant += MINUTE_MS) {
    const wall = shownAt(instant);
    let isDue = false;
    // From what they showed a minute ago, so that what they skip counts as shown now.
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
