import { HoldfastError } from "../errors/holdfast-error.ts";
import { type Schedule, tickKey } from "../job/define-schedule.ts";
import { wait } from "../lib/wait.ts";
import type { Clock } from "../redis/clock.ts";
import type { Submitter } from "../submit/submitter.ts";
import type { Logger } from "../telemetry/logger.ts";
import { newlyDue, startingPoint, stillWanted } from "./agenda.ts";
import type { ReportTick } from "./tick-metrics.ts";

/** What a schedule is followed with. */
export interface FollowParts {
  readonly submitter: Pick<Submitter, "submit">;
  /** Redis's: all schedulers agree on what is due, whatever their machines' clocks show. */
  readonly clock: Pick<Clock, "now">;
  readonly log: Logger;
  readonly tell?: ReportTick | undefined;
  readonly stopping: AbortSignal;
}

/** Sleeps are short, so that a clock that was set, or a machine that slept, is noticed soon. */
const LONGEST_SLEEP_MS = 1_000;
const RETRY_MS = 500;

/** Submits a schedule's job at each of its ticks, until stopped. */
export async function runSchedule(schedule: Schedule, parts: FollowParts): Promise<void> {
  const { clock, stopping } = parts;
  let progress = startingPoint(schedule, clock.now());
  let nextAt = Number.NEGATIVE_INFINITY;
  let pending: number[] = [];
  while (!stopping.aborted) {
    const now = clock.now();
    if (now >= nextAt) {
      pending = [...pending, ...newlyDue(schedule, progress, now)];
      // What was seen once is not looked for again: a clock that was set back changes nothing here.
      progress = { ...progress, seenUntil: now };
      nextAt = schedule.timetable.next(now) ?? Number.POSITIVE_INFINITY;
    }
    pending = await submitAll(schedule, stillWanted(schedule, pending, progress, now), parts);
    const waitMs = pending.length > 0 ? RETRY_MS : Math.max(0, nextAt - clock.now());
    await wait(Math.min(waitMs, LONGEST_SLEEP_MS), stopping);
  }
}

/** @returns the ticks that could not be submitted yet */
async function submitAll(
  schedule: Schedule,
  ticks: readonly number[],
  parts: FollowParts,
): Promise<number[]> {
  for (const [index, at] of ticks.entries()) {
    if (parts.stopping.aborted || !(await submitTick(schedule, at, parts))) return ticks.slice(index);
  }
  return [];
}

/** @returns false when it is worth trying again */
async function submitTick(
  schedule: Schedule,
  at: number,
  { submitter, clock, log, tell }: FollowParts,
): Promise<boolean> {
  const tick = { at: new Date(at) };
  const tickLog = log.child({ schedule: schedule.name, tick: tick.at.toISOString() });
  try {
    const payload = schedule.payload(tick);
    const { id, duplicate } = await submitter.submit({
      type: schedule.job.type,
      payload,
      idempotencyKey: tickKey(schedule, at),
    });
    const lateMs = Math.round(clock.now() - at);
    tell?.(schedule.name, duplicate ? "duplicate" : "enqueued", lateMs);
    if (duplicate) tickLog.debug({ jobId: id }, "tick was enqueued before");
    else tickLog.info({ jobId: id, lateMs }, "tick enqueued");
    return true;
  } catch (error) {
    const isWorthAnotherTry = error instanceof HoldfastError && error.retryable;
    tell?.(schedule.name, isWorthAnotherTry ? "retried" : "failed", clock.now() - at);
    if (isWorthAnotherTry) {
      // A clock that is wrong is in the log once; that would be said for each tick, twice a second.
      if (error.code !== "CLOCK_WRONG") tickLog.warn({ code: error.code }, error.message);
      return false;
    }
    tickLog.error({ err: error }, "tick cannot be enqueued");
    return true;
  }
}
