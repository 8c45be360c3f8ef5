import type { Application } from "../../core/job/define-config.ts";
import { keyFault } from "../../core/job/idempotency-key.ts";
import type { Validate } from "../../core/submit/validate.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { wait } from "../../platform/lib/wait.ts";
import { ON_TIME_MS, wantedOf } from "../schedules/agenda.ts";
import type { Schedule } from "../schedules/define-schedule.ts";
import { pauseAt, type SchedulePauses } from "../schedules/pauses.ts";
import {
  goOn,
  type SchedulerTools,
  submissionOf,
  submitTick,
  type TickTools,
} from "../schedules/run-schedule.ts";
import type { TickJobs } from "../schedules/tick-jobs.ts";
import { type StoredSchedule, type Version, versionsOf } from "./stored-schedule.ts";
import type { Advance, StoredSchedules } from "./stored-schedules.ts";

/** What stored schedules run with. */
export interface StoredSchedulerTools extends Omit<SchedulerTools, "pauses" | "missedTicks"> {
  readonly stored: StoredSchedules;
  readonly application: Application;
  readonly validate: Validate;
  readonly pauses: Pick<SchedulePauses, "all">;
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
/** As many ticks are looked at one by one; beyond that, the latest. */
const TICKS_MAX = 60;
const REPORTED_MAX = 11;

/** Submits the ticks of stored schedules, until stopped. It reads only schedules that are due. */
export async function runStoredSchedules(tools: StoredSchedulerTools): Promise<void> {
  const { stopping } = tools;
  let service: Service | undefined;
  while (!stopping.aborted) {
    try {
      const { now, nextAt, found } = await tools.stored.due(BATCH);
      // One that works off a backlog was there for its ticks, however late it comes to them.
      const since = service !== undefined && now - service.last <= ON_TIME_MS ? service.since : now;
      service = { since, last: now };
      const lookAt = await runBatch(found, { ...tools, now, onTimeFrom: Math.min(since, now - ON_TIME_MS) });
      if (found.length < BATCH) await wait(sleepMs(now, Math.min(nextAt, lookAt), tools), stopping);
    } catch (error) {
      if (!(error instanceof HoldfastError && error.retryable)) throw error;
      await wait(RETRY_MS, stopping);
    }
  }
}

/** Since when a scheduler has looked for what is due without a gap, and when it did last. */
interface Service {
  readonly since: number;
  readonly last: number;
}

function sleepMs(from: number, until: number, { clock }: StoredSchedulerTools): number {
  return Math.min(LONGEST_SLEEP_MS, Math.max(0, until - Math.max(from, clock.now())));
}

/** @returns when to look at the next of them; Infinity for never */
async function runBatch(found: readonly StoredSchedule[], tools: BatchParts): Promise<number> {
  if (found.length === 0) return Number.POSITIVE_INFINITY;
  // Read after the versions, so a pause that began before a tick is seen.
  const pausesOf = await tools.pauses.all();
  const batch = { ...tools, pausesOf, pauses: { of: async (name: string) => pausesOf(name) } };
  const advances = await Promise.all(found.map((stored) => runDue(stored, batch)));
  await tools.stored.advance(advances);
  return Math.min(...advances.map(({ lookAt = Number.POSITIVE_INFINITY }) => lookAt));
}

interface BatchParts extends StoredSchedulerTools {
  /** Redis's time when they were found due. */
  readonly now: number;
  readonly onTimeFrom: number;
}

type BatchTools = Omit<BatchParts, "pauses"> &
  TickTools & { readonly pausesOf: Awaited<ReturnType<SchedulePauses["all"]>> };

/** How far it came with some ticks. */
interface Outcome {
  /** The first tick that was not submitted. */
  readonly pending: number | undefined;
  readonly retryMs: number;
}

async function runDue(stored: StoredSchedule, tools: BatchTools): Promise<Advance> {
  const { now } = tools;
  const versions = versionsOf(stored, tools.stored);
  const last = versions.at(-1)?.schedule;
  // The application's own schedule of that name counts.
  if (tools.application.schedules.some(({ name }) => name === stored.name))
    return { from: stored, done: now, lookAt: last?.timetable.next(now) };
  const { pending, retryMs } = await submitDue(stored, versions, tools);
  const awaitedMs = await goOnWithAwaited(versions, tools);
  const times = [
    pending === undefined ? last?.timetable.next(now) : now + retryMs,
    awaitedMs === undefined ? undefined : now + awaitedMs,
  ].filter((time) => time !== undefined);
  return {
    from: stored,
    done: pending === undefined ? now : pending - 1,
    lookAt: times.length === 0 ? undefined : Math.ceil(Math.min(...times)),
  };
}

async function submitDue(
  { name, done }: StoredSchedule,
  versions: readonly Version[],
  tools: BatchTools,
): Promise<Outcome> {
  const { now, onTimeFrom } = tools;
  for (const { schedule, until, fault } of versions.filter((version) => version.until > done)) {
    if (fault !== undefined) {
      tools.events.emit("tick.failed", { schedule: name, tick: new Date(now).toISOString() }, fault);
      return { pending: done + 1, retryMs: NOT_HERE_MS };
    }
    const due = dueTicks(schedule, done, Math.min(now, until));
    const wanted = wantedOf(schedule, due, onTimeFrom, now);
    await reportMissed(
      schedule,
      due.filter((at) => !wanted.includes(at)),
      tools,
    );
    for (const at of wanted) {
      const retryMs = await submit(schedule, at, tools);
      if (retryMs !== undefined) return { pending: at, retryMs };
    }
  }
  return { pending: undefined, retryMs: 0 };
}

/** Ticks after `after`, up to `until`, the oldest first; of many the latest. */
function dueTicks({ timetable, catchUp }: Schedule, after: number, until: number): number[] {
  const ticks: number[] = [];
  for (let at = timetable.next(after); at !== undefined && at <= until; at = timetable.next(at)) {
    ticks.push(at);
    if (ticks.length <= TICKS_MAX) continue;
    const count = catchUp.mode === "all" ? Math.max(catchUp.max, TICKS_MAX) : TICKS_MAX;
    return timetable
      .latest(count, until)
      .filter((tick) => tick > after)
      .reverse();
  }
  return ticks;
}

/** @returns after how many milliseconds to try again; undefined if that is not needed */
async function submit(schedule: Schedule, at: number, tools: BatchTools): Promise<number | undefined> {
  if (tools.stopping.aborted) return 0;
  try {
    tools.validate(tools.application, submissionOf(schedule, at), keyFault);
  } catch (error) {
    tools.events.emit("tick.failed", { schedule: schedule.name, tick: new Date(at).toISOString() }, error);
    return tools.now - at < ON_TIME_MS ? NOT_HERE_MS : undefined;
  }
  return (await submitTick(schedule, at, tools)) ? undefined : RETRY_MS;
}

/** Reports ticks that the catch-up policy does not want, unless a scheduler died right after it had submitted them. */
async function reportMissed(schedule: Schedule, ticks: readonly number[], tools: BatchTools): Promise<void> {
  const { name, catchUp } = schedule;
  for (const at of ticks.slice(-REPORTED_MAX)) {
    if (pauseAt(tools.pausesOf(name), at) !== undefined) continue;
    if (await tools.ticks.isEnqueued(schedule, at).catch(() => true)) continue;
    const why = `no scheduler enqueued it in time; catch-up is ${catchUp.mode}`;
    tools.events.emit("tick.missed", { schedule: name, tick: new Date(at).toISOString(), why });
  }
}

/** @returns after how many milliseconds to look at a tick that waits for an earlier one's job */
async function goOnWithAwaited(versions: readonly Version[], tools: BatchTools): Promise<number | undefined> {
  const queueing = versions.findLast(({ schedule }) => schedule.overlap === "queue-one")?.schedule;
  if (queueing === undefined || !(await goOn(queueing, tools))) return undefined;
  const waitedMs = tools.now - (queueing.timetable.latest(1, tools.now)[0] ?? tools.now);
  return Math.min(AWAITED_MAX_MS, Math.max(RETRY_MS, waitedMs / AWAITED_SHARE));
}
