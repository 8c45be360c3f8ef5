import { redisNow } from "../../platform/redis/fitness/clock.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";
import type { Metrics } from "../../platform/telemetry/metrics.ts";
import type { Schedule } from "./define-schedule.ts";
import { pauseAt } from "./pauses.ts";
import type { ScheduleReader } from "./read-schedule.ts";
import { GRACE_MS, openTickJobs } from "./tick-jobs.ts";
import { tickMetrics } from "./tick-metrics.ts";

/** Finds ticks that were due and that no scheduler enqueued. */
export interface MissedTicks {
  /**
   * @param now milliseconds since 1970 @default Redis's clock
   * @returns those since the latest one that was enqueued, the latest first. None if none ever was: then the schedule is new.
   */
  of(schedule: Schedule, now?: number): Promise<number[]>;
}

/** How many of the latest ticks are looked at. */
const LOOKED_AT = 11;

/** As long as all is well, it costs one GET for each schedule. */
export function openMissedTicks(
  reader: Pick<ScheduleReader, "stores" | "pauses" | "overlaps" | "retentionMs">,
): MissedTicks {
  const { stores, pauses, overlaps, retentionMs } = reader;
  const { isEnqueued, ranBefore } = openTickJobs(stores, retentionMs);
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
    const due = schedule.timetable.latest(LOOKED_AT, until).filter((at) => at > now - retentionMs);
    const absent = await latestAbsent(schedule, due);
    if (absent.length < due.length) hasRun.set(schedule.name, true);
    if (absent.length === 0) return [];
    if (!hasRun.has(schedule.name))
      hasRun.set(schedule.name, await ranBefore(schedule, absent.at(-1) ?? until, now));
    if (!hasRun.get(schedule.name)) return [];
    const [paused, overlapOf] = await Promise.all([pauses.of(schedule.name), overlaps.explain(schedule)]);
    return absent.filter((at) => pauseAt(paused, at) === undefined && overlapOf(at) === undefined);
  }

  return {
    of: async (schedule, now) => await inTime(find(schedule, now ?? (await redisNow(stores.client)))),
  };
}

/** Reports missed ticks at each scrape, from whichever process is scraped: also while no scheduler runs. */
export function measureMissedTicks(
  metrics: Metrics,
  missedTicks: MissedTicks,
  schedules: readonly Schedule[],
  clock: { now(): number },
): void {
  const missed = metrics.of(tickMetrics).gauge("holdfast_schedule_missed_ticks");
  metrics.beforeScrape(async () => {
    const now = clock.now();
    const found = await Promise.all(schedules.map((schedule) => missedTicks.of(schedule, now))).catch(
      () => [],
    );
    missed.reset();
    for (const [index, ticks] of found.entries())
      missed.labels(schedules[index]?.name ?? "").set(ticks.length);
  });
}
