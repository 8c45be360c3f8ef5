import { randomUUID } from "node:crypto";
import type { Events } from "../../core/events.ts";
import type { Receipt } from "../../core/job/submit-options.ts";
import type { Submitter } from "../../core/submit/submitter.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { wait } from "../../platform/lib/wait.ts";
import type { Clock } from "../../platform/redis/fitness/clock.ts";
import { newlyDue, startingPoint, stillWanted } from "./agenda.ts";
import { jitterOf, type Schedule, scheduleAt } from "./define-schedule.ts";
import type { TickEvent } from "./log-ticks.ts";
import type { MissedTicks } from "./missed-ticks.ts";
import { metText, type OverlapState, type Overlaps } from "./overlap.ts";
import { pauseAt, pauseText, type SchedulePauses } from "./pauses.ts";
import { runNowKey, tickKey } from "./tick-keys.ts";

/** What schedules run with. */
export interface SchedulerTools {
  readonly submitter: Pick<Submitter, "submitOwn">;
  /** Redis's clock, so that all schedulers agree on what is due. */
  readonly clock: Pick<Clock, "now">;
  readonly pauses: Pick<SchedulePauses, "of">;
  readonly missedTicks: MissedTicks;
  readonly overlaps: Omit<Overlaps, "explain">;
  readonly events: Events;
  readonly stopping: AbortSignal;
}

/** Short, to notice a set clock or a waking machine soon. */
const LONGEST_SLEEP_MS = 1_000;
const RETRY_MS = 500;

/** Submits a schedule's job at each of its ticks, until stopped. */
export async function runSchedule(schedule: Schedule, tools: SchedulerTools): Promise<void> {
  const { clock, stopping, missedTicks, events } = tools;
  let progress = startingPoint(schedule, clock.now());
  let nextAt = Number.NEGATIVE_INFINITY;
  let pending: number[] = [];
  while (!stopping.aborted) {
    const now = clock.now();
    if (now >= nextAt) {
      pending = [...pending, ...newlyDue(schedule, progress, now)];
      const aboutToRun = pending;
      void missedTicks.of(schedule, now).then(
        (missed) => reportMissed(schedule, missed.filter((at) => !aboutToRun.includes(at)).reverse(), events),
        () => {},
      );
      // Never looks back at what it has seen: a clock that was set back changes nothing here.
      progress = { ...progress, seenUntil: now };
      nextAt = schedule.timetable.next(now) ?? Number.POSITIVE_INFINITY;
    }
    const isWaiting = schedule.overlap !== "allow" && (await goOn(schedule, tools));
    pending = await submitAll(schedule, stillWanted(schedule, pending, progress, now), tools);
    const waitMs = pending.length > 0 || isWaiting ? RETRY_MS : Math.max(0, nextAt - clock.now());
    await wait(Math.min(waitMs, LONGEST_SLEEP_MS), stopping);
  }
}

/** Reports ticks that nobody enqueued, and that are not about to be caught up. @param ticks the oldest first */
export function reportMissed(schedule: Schedule, ticks: readonly number[], events: Events): void {
  const why = `no scheduler enqueued it in time; catch-up is ${schedule.catchUp.mode}`;
  for (const at of ticks) events.emit("tick.missed", { ...tickOf(schedule, at), why });
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

export type TickTools = Omit<SchedulerTools, "missedTicks" | "stopping">;

/** @returns false to try again */
export async function submitTick(schedule: Schedule, at: number, tools: TickTools): Promise<boolean> {
  return await tried(schedule, at, tools, async () => {
    const pause = pauseAt(await tools.pauses.of(schedule.name), at);
    if (pause === undefined) return await decideTick(schedule, at, tools);
    tools.events.emit("tick.skipped", { ...tickOf(schedule, at), why: pauseText(pause) });
    return true;
  });
}

/** @returns false to try again */
async function tried(
  schedule: Schedule,
  at: number,
  { events }: Pick<TickTools, "events">,
  work: () => Promise<boolean>,
): Promise<boolean> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof HoldfastError && error.retryable) {
      events.emit("tick.retried", tickOf(schedule, at), error);
      return false;
    }
    events.emit("tick.failed", tickOf(schedule, at), error);
    return true;
  }
}

export function tickOf({ name }: Schedule, at: number): TickEvent {
  return { schedule: name, tick: new Date(at).toISOString() };
}

/** What a tick submits. @throws HoldfastError `SCHEDULE_NOT_FOUND` if the tick's version is no longer kept */
export function tickSubmission(schedule: Schedule, at: number) {
  const version = scheduleAt(schedule, at);
  return {
    type: version.job.type,
    payload: version.payload({ at: new Date(at) }),
    idempotencyKey: tickKey(version, at),
    options: { delayMs: jitterOf(version, at) },
  };
}

async function submitJob(
  schedule: Schedule,
  at: number,
  { submitter, clock, events }: TickTools,
): Promise<string> {
  const { id: jobId, duplicate } = await submitter.submitOwn(tickSubmission(schedule, at));
  const tick = tickOf(schedule, at);
  if (duplicate) events.emit("tick.duplicate", { ...tick, jobId });
  else events.emit("tick.enqueued", { ...tick, jobId, lateMs: Math.round(clock.now() - at) });
  return jobId;
}

/** @returns false to try again */
async function decideTick(schedule: Schedule, at: number, tools: TickTools): Promise<boolean> {
  if (schedule.overlap === "allow") {
    await submitJob(schedule, at, tools);
    return true;
  }
  const state = await tools.overlaps.decide(schedule, at);
  if (state.decision === "skipped")
    tools.events.emit("tick.skipped", { ...tickOf(schedule, at), why: metText(state.running) });
  const isSubmitted = await submitRunning(schedule, state, tools);
  if (state.decision === "unsubmitted") return isSubmitted && (await decideTick(schedule, at, tools));
  return state.decision !== "run" || isSubmitted;
}

/**
 * Submits the job of the tick that runs, unless a scheduler has: the one that decided may have died.
 *
 * @returns false to try again
 */
async function submitRunning(
  schedule: Schedule,
  { running, jobId }: OverlapState,
  tools: TickTools,
): Promise<boolean> {
  if (running === undefined || jobId !== undefined) return true;
  return await tried(schedule, running, tools, async () => {
    try {
      await tools.overlaps.noteJob(schedule, running, await submitJob(schedule, running, tools));
    } catch (error) {
      if (!(error instanceof HoldfastError && error.retryable)) await tools.overlaps.drop(schedule, running);
      throw error;
    }
    return true;
  });
}

/** Lets the queued tick go on once the former one's job has ended. @returns whether to look again soon */
export async function goOn(schedule: Schedule, tools: TickTools): Promise<boolean> {
  try {
    const state = await tools.overlaps.advance(schedule);
    return !(await submitRunning(schedule, state, tools)) || state.queued !== undefined;
  } catch (error) {
    // The next tick reports it, if it lasts.
    if (error instanceof HoldfastError && error.retryable) return true;
    throw error;
  }
}

const MINUTE_MS = 60_000;

/**
 * Submits a schedule's job now, beside its ticks.
 *
 * The payload is that of a tick at the current minute, since payloads may rely on whole minutes. A request that is sent
 * again a minute later has another payload, so the request's name is compared instead.
 *
 * @param request the client's name for its request; without one each call makes a job
 * @throws HoldfastError as `submit` does
 */
export async function runNow(
  submitter: Pick<Submitter, "submitOwn">,
  schedule: Schedule,
  request: string = randomUUID(),
): Promise<Receipt> {
  const at = new Date(Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS);
  const job = {
    type: schedule.job.type,
    payload: schedule.payload({ at }),
    idempotencyKey: runNowKey(schedule, request),
  };
  return await submitter.submitOwn(job, `run ${schedule.name} now`);
}
