import { HoldfastError } from "../errors/holdfast-error.ts";
import { jitterOf, type Schedule, tickKey } from "../job/define-schedule.ts";
import { wait } from "../lib/wait.ts";
import type { Clock } from "../redis/clock.ts";
import type { Submitter } from "../submit/submitter.ts";
import type { Events } from "../telemetry/events.ts";
import { newlyDue, startingPoint, stillWanted } from "./agenda.ts";
import type { MissedTicks } from "./missed-ticks.ts";
import { pauseAt, pauseText, type SchedulePauses } from "./pauses.ts";

/** What schedules run with. */
export interface SchedulerTools {
  readonly submitter: Pick<Submitter, "submit">;
  /** Redis's clock, so that all schedulers agree on what is due. */
  readonly clock: Pick<Clock, "now">;
  readonly pauses: Pick<SchedulePauses, "of">;
  readonly missedTicks: MissedTicks;
  readonly events: Events;
  readonly stopping: AbortSignal;
}

/** Short, to notice a set clock or a waking machine soon. */
const LONGEST_SLEEP_MS = 1_000;
const RETRY_MS = 500;

/** Submits a schedule's job at each of its ticks, until stopped. */
export async function runSchedule(schedule: Schedule, tools: SchedulerTools): Promise<void> {
  const { clock, stopping } = tools;
  let progress = startingPoint(schedule, clock.now());
  let nextAt = Number.NEGATIVE_INFINITY;
  let pending: number[] = [];
  while (!stopping.aborted) {
    const now = clock.now();
    if (now >= nextAt) {
      pending = [...pending, ...newlyDue(schedule, progress, now)];
      void reportMissed(schedule, now, pending, tools);
      // Never looks back at what it has seen: a clock that was set back changes nothing here.
      progress = { ...progress, seenUntil: now };
      nextAt = schedule.timetable.next(now) ?? Number.POSITIVE_INFINITY;
    }
    pending = await submitAll(schedule, stillWanted(schedule, pending, progress, now), tools);
    const waitMs = pending.length > 0 ? RETRY_MS : Math.max(0, nextAt - clock.now());
    await wait(Math.min(waitMs, LONGEST_SLEEP_MS), stopping);
  }
}

/** Reports the ticks that were due before, that nobody enqueued, and that are not about to be caught up. */
async function reportMissed(
  schedule: Schedule,
  now: number,
  pending: readonly number[],
  { missedTicks, events }: Pick<SchedulerTools, "missedTicks" | "events">,
): Promise<void> {
  const found = await missedTicks.of(schedule, now).catch(() => []);
  const why = `no scheduler enqueued it in time; catch-up is ${schedule.catchUp.mode}`;
  for (const at of found.filter((tick) => !pending.includes(tick)).reverse())
    events.emit("tick.missed", { schedule: schedule.name, tick: new Date(at).toISOString(), why });
}

/** @returns the ticks to try again */
async function submitAll(
  schedule: Schedule,
  ticks: readonly number[],
  tools: SchedulerTools,
): Promise<number[]> {
  for (const [index, at] of ticks.entries()) {
    if (tools.stopping.aborted || !(await submitTick(schedule, at, tools))) return ticks.slice(index);
  }
  return [];
}

/** @returns false to try again */
export async function submitTick(
  schedule: Schedule,
  at: number,
  { submitter, clock, pauses, events }: Omit<SchedulerTools, "missedTicks" | "stopping">,
): Promise<boolean> {
  const instant = new Date(at);
  const tick = { schedule: schedule.name, tick: instant.toISOString() };
  try {
    const pause = pauseAt(await pauses.of(schedule.name), at);
    if (pause !== undefined) {
      events.emit("tick.skipped", { ...tick, why: pauseText(pause) });
      return true;
    }
    const { id: jobId, duplicate } = await submitter.submit({
      type: schedule.job.type,
      payload: schedule.payload({ at: instant }),
      idempotencyKey: tickKey(schedule, at),
      options: { delayMs: jitterOf(schedule, at) },
    });
    if (duplicate) events.emit("tick.duplicate", { ...tick, jobId });
    else events.emit("tick.enqueued", { ...tick, jobId, lateMs: Math.round(clock.now() - at) });
    return true;
  } catch (error) {
    if (error instanceof HoldfastError && error.retryable) {
      events.emit("tick.retried", tick, error);
      return false;
    }
    events.emit("tick.failed", tick, error);
    return true;
  }
}
