import { redisNow } from "../../platform/redis/fitness/clock.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";
import type { Schedule } from "./define-schedule.ts";
import { pauseAt, type SchedulePauses } from "./pauses.ts";
import type { ScheduleReader } from "./read-schedule.ts";
import { GRACE_MS, type TickJobs } from "./tick-jobs.ts";

/** How many of the latest ticks are looked at. */
const LOOKED_AT = 11;

export type MissedTicks = ReturnType<typeof openMissedTicks>;

/** Finds ticks that were due and that no scheduler enqueued. As long as all is well, it costs one GET for each schedule. */
export function openMissedTicks(
  reader: Pick<ScheduleReader, "stores" | "compute" | "pauses" | "overlaps" | "ticks" | "retentionMs">,
) {
  const { stores, compute, pauses, overlaps, retentionMs } = reader;
  const { isEnqueued, ranBefore } = reader.ticks;
  /** Newer processes do not know it from what they saw. */
  const hasRun = new Map<string, boolean>();

  /** The ticks since the latest that was enqueued. */
  async function latestAbsent(schedule: Schedule, [latest, ...others]: readonly number[]): Promise<number[]> {
    if (latest === undefined || (await isEnqueued(schedule, latest))) return [];
    const enqueued = await Promise.all(others.map((at) => isEnqueued(schedule, at)));
    const count = enqueued.indexOf(true);
    return [latest, ...(count < 0 ? others : others.slice(0, count))];
  }

  async function find(schedule: Schedule, now: number): Promise<number[]> {
    const until = now - GRACE_MS;
    const latest = await compute(() => schedule.timetable.latest(LOOKED_AT, until));
    const due = latest.filter((at) => at > now - retentionMs);
    const absent = await inTime(latestAbsent(schedule, due));
    if (absent.length < due.length) hasRun.set(schedule.name, true);
    if (absent.length === 0) return [];
    if (!hasRun.has(schedule.name))
      hasRun.set(schedule.name, await ranBefore(schedule, absent.at(-1) ?? until, now));
    if (!hasRun.get(schedule.name)) return [];
    const [paused, overlapOf] = await inTime(
      Promise.all([pauses.of(schedule.name), overlaps.explain(schedule)]),
    );
    return absent.filter((at) => pauseAt(paused, at) === undefined && overlapOf(at) === undefined);
  }

  return {
    /**
     * @param now milliseconds since 1970 @default Redis's clock
     * @returns those since the latest one that was enqueued, the latest first. None if none ever was: then the schedule is new.
     */
    of: async (schedule: Schedule, now?: number) =>
      await find(schedule, now ?? (await inTime(redisNow(stores.client)))),
  };
}

/** Of ticks that the catch-up policy does not want, those that no scheduler enqueued: one may have died right after it had. */
export async function notEnqueued(
  schedule: Schedule,
  unwanted: readonly number[],
  {
    pauses,
    ticks,
  }: { readonly pauses: Pick<SchedulePauses, "of">; readonly ticks: Pick<TickJobs, "isEnqueued"> },
): Promise<number[]> {
  if (unwanted.length === 0) return [];
  const paused = await pauses.of(schedule.name);
  const missed: number[] = [];
  for (const at of unwanted.slice(-LOOKED_AT).filter((tick) => pauseAt(paused, tick) === undefined))
    if (!(await ticks.isEnqueued(schedule, at).catch(() => true))) missed.push(at);
  return missed;
}
