import type { Application } from "../../../core/job/application.ts";
import { keyFault } from "../../../core/job/idempotency-key.ts";
import type { Validate } from "../../../core/submit/validate.ts";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { wait } from "../../../platform/lib/wait.ts";
import { dueAfter, ON_TIME_MS, wantedTicks } from "../agenda.ts";
import type { Schedule } from "../define-schedule.ts";
import { notEnqueued } from "../missed-ticks.ts";
import type { SchedulePauses } from "../pauses.ts";
import {
  goOn,
  reportMissed,
  type SchedulerTools,
  submitTick,
  tickOf,
  tickSubmission,
} from "../run-schedule.ts";
import type { TickJobs } from "../tick-jobs.ts";
import type { Version } from "../versions.ts";
import { type StoredSchedule, versionsOf } from "./stored-schedule.ts";
import type { StoredSchedules } from "./stored-schedules.ts";

/** What stored schedules run with. */
export interface StoredSchedulerTools extends SchedulerTools {
  readonly stored: StoredSchedules;
  readonly application: Application;
  readonly validate: Validate;
  readonly pauses: Pick<SchedulePauses, "of" | "all">;
  readonly ticks: Pick<TickJobs, "isEnqueued">;
}

/** A schedule that is put is noticed this soon. */
const LONGEST_SLEEP_MS = 1_000;
const RETRY_MS = 500;
/** Another scheduler may know the type, the key or the zone that this one does not. */
const NOT_HERE_MS = 5_000;
/** A tick that waits for a long job is looked at less often. */
const AWAITED_SHARE = 10;
const AWAITED_MAX_MS = 30_000;
/** Larger batches were no faster. */
const BATCH = 250;

/** Submits the ticks of stored schedules, until stopped. It reads only schedules that are due. */
export async function runStoredSchedules(tools: StoredSchedulerTools): Promise<void> {
  const { stopping, clock } = tools;
  // Since when it has looked for what is due without a gap, and when it did last.
  let [since, last] = [0, Number.NEGATIVE_INFINITY];
  while (!stopping.aborted) {
    try {
      const { now, nextAt, found } = await tools.stored.due(BATCH);
      // One that works off a backlog was there for its ticks, however late it comes to them.
      if (now - last > ON_TIME_MS) since = now;
      last = now;
      const lookAt = await runBatch(found, { ...tools, now, onTimeFrom: Math.min(since, now - ON_TIME_MS) });
      const sleepMs = Math.min(nextAt, lookAt) - Math.max(now, clock.now());
      if (found.length < BATCH) await wait(Math.min(LONGEST_SLEEP_MS, Math.max(0, sleepMs)), stopping);
    } catch (error) {
      if (!(error instanceof HoldfastError && error.retryable)) throw error;
      await wait(RETRY_MS, stopping);
    }
  }
}

interface Batch extends StoredSchedulerTools {
  /** Redis's time when they were found due. */
  readonly now: number;
  readonly onTimeFrom: number;
}

/** @returns when to look at the next of them; Infinity for never */
async function runBatch(found: readonly StoredSchedule[], batch: Batch): Promise<number> {
  if (found.length === 0) return Number.POSITIVE_INFINITY;
  // Read after the versions, so a pause that began before a tick is seen.
  const pausesOf = await batch.pauses.all();
  const pauses = { ...batch.pauses, of: async (name: string) => pausesOf.get(name) ?? [] };
  const tools = { ...batch, pauses };
  const advances = await Promise.all(found.map((stored) => runDue(stored, tools)));
  await batch.stored.advance(advances);
  return Math.min(...advances.map(({ lookAt }) => lookAt));
}

async function runDue(stored: StoredSchedule, tools: Batch) {
  const { now, application } = tools;
  const versions = versionsOf(stored, tools.stored);
  const nextAt = versions.at(-1)?.schedule.timetable.next(now) ?? Number.POSITIVE_INFINITY;
  // The application's own schedule of that name counts.
  if (application.schedules.some(({ name }) => name === stored.name))
    return { from: stored, done: now, lookAt: nextAt };
  const pending = await submitDue(stored, versions, tools);
  const lookAt = Math.min(
    pending === undefined ? nextAt : now + pending.retryMs,
    now + (await goOnWithAwaited(versions, tools)),
  );
  return { from: stored, done: pending === undefined ? now : pending.at - 1, lookAt: Math.ceil(lookAt) };
}

/** @returns the first tick that was not submitted, and after how many milliseconds to try it again */
async function submitDue(
  { done }: StoredSchedule,
  versions: readonly Version[],
  tools: Batch,
): Promise<{ readonly at: number; readonly retryMs: number } | undefined> {
  const { now, onTimeFrom, events } = tools;
  for (const { schedule, since, until, fault } of versions.filter((version) => version.until > done)) {
    if (fault !== undefined) {
      events.emit("tick.failed", tickOf(schedule, Math.min(now, until)), fault);
      // Others had time to read it while this scheduler was there, and the versions after it must not wait for ever.
      if (now - Math.max(until, onTimeFrom) > ON_TIME_MS) continue;
      return { at: Math.max(done, since) + 1, retryMs: NOT_HERE_MS };
    }
    const due = dueAfter(schedule, done, Math.min(now, until));
    const wanted = wantedTicks(schedule, due, onTimeFrom, now);
    const unwanted = due.filter((at) => !wanted.includes(at));
    reportMissed(schedule, await notEnqueued(schedule, unwanted, tools), events);
    for (const at of wanted) {
      const retryMs = await submit(schedule, at, tools);
      if (retryMs !== undefined) return { at, retryMs };
    }
  }
  return undefined;
}

/** @returns after how many milliseconds to try again; undefined if that is not needed */
async function submit(schedule: Schedule, at: number, tools: Batch): Promise<number | undefined> {
  if (tools.stopping.aborted) return 0;
  try {
    tools.validate(tools.application, tickSubmission(schedule, at), keyFault);
  } catch (error) {
    tools.events.emit("tick.failed", tickOf(schedule, at), error);
    return tools.now - at < ON_TIME_MS ? NOT_HERE_MS : undefined;
  }
  return (await submitTick(schedule, at, tools)) ? undefined : RETRY_MS;
}

/** @returns after how many milliseconds to look at a tick that waits for an earlier one's job; Infinity where none does */
async function goOnWithAwaited(versions: readonly Version[], tools: Batch): Promise<number> {
  const queueing = versions.findLast(({ schedule }) => schedule.overlap === "queue-one")?.schedule;
  if (queueing === undefined || !(await goOn(queueing, tools))) return Number.POSITIVE_INFINITY;
  const waitedMs = tools.now - (queueing.timetable.latest(1, tools.now)[0] ?? tools.now);
  return Math.min(AWAITED_MAX_MS, Math.max(RETRY_MS, waitedMs / AWAITED_SHARE));
}
