import { findDedupKeyHolder } from "../../core/bullmq/add/dedup-key-holder.ts";
import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import { dedupKeyOf } from "../../core/job/dedup-key.ts";
import { submittedAt } from "../../core/job/job-id.ts";
import { openStatusReader } from "../../core/status/read-status.ts";
import type { Settings } from "../../platform/config/settings.ts";
import { durationText, exactDurationText } from "../../platform/lib/duration-text.ts";
import { type Compute, computeInTurns } from "../../platform/lib/in-turns.ts";
import { isoOrNull, isoTime } from "../../platform/lib/iso-time.ts";
import { redisNow } from "../../platform/redis/fitness/clock.ts";
import { inTime, inTimeTogether, redisUnavailable } from "../../platform/redis/redis-errors.ts";
import { type Schedule, scheduleAt } from "./define-schedule.ts";
import { type OverlapExplanation, openOverlaps } from "./overlap.ts";
import { lasting, openSchedulePauses, pauseAt, pauseText, type SchedulePause, skipsAhead } from "./pauses.ts";
import type { PastTick, ScheduleStatus, TickExplanation } from "./schedule-status.ts";
import { countSchedulers } from "./scheduler-heartbeat.ts";
import { GRACE_MS, openTickJobs } from "./tick-jobs.ts";
import { tickKey } from "./tick-keys.ts";

export type ScheduleReader = ReturnType<typeof openScheduleReader>;

export function openScheduleReader(
  stores: QueueStores,
  { HOLDFAST_PREFIX: prefix, HOLDFAST_RETENTION_MS: retentionMs }: Settings,
) {
  const compute = computeInTurns();
  return {
    stores,
    compute,
    prefix,
    retentionMs,
    pauses: openSchedulePauses(stores, prefix, retentionMs),
    overlaps: openOverlaps(stores, prefix, retentionMs),
    ticks: openTickJobs(stores, retentionMs, compute),
    readStatus: openStatusReader(stores, []),
  };
}

/** A tick that was enqueued later than this was caught up. */
const LATE_MS = 10_000;

/** How many ticks of each schedule to list. */
interface TicksShown {
  readonly next: number;
  readonly past: number;
}

/** Redis is read before the ticks are planned and after. */
export async function readSchedules(
  reader: ScheduleReader,
  find: () => Promise<readonly Schedule[]>,
  shown: TicksShown,
): Promise<ScheduleStatus[]> {
  const inRedisTime = inTimeTogether();
  const { schedules, now, pausesOf, schedulers } = await inRedisTime(readNow(reader, find));
  const planned = await planEach(reader.compute, schedules, now, shown);
  const statuses = Promise.all(
    planned.map(async ({ schedule, ahead, due }) => {
      const { name, when, timeZone, job, catchUp, overlap, stored } = schedule;
      const pauses = pausesOf.get(name) ?? [];
      const pause = lasting(pauses, now);
      const ticks = await readTicks(reader, schedule, due, { now, pauses });
      return {
        name,
        when,
        timeZone,
        jobType: job.type,
        catchUp: catchUp.mode,
        overlap,
        schedulers,
        next: ahead,
        paused:
          pause === undefined
            ? null
            : { ...shownPause(pause), until: pause.until === undefined ? null : isoTime(pause.until) },
        skips: skipsAhead(pauses, now).map(({ since, reason, by }) => ({ at: isoTime(since), reason, by })),
        stored: stored === undefined ? null : { version: stored.version, since: isoTime(stored.since) },
        last: ticks[0] ?? null,
        past: ticks.slice(0, shown.past),
      };
    }),
  );
  return await inRedisTime(statuses);
}

async function readNow(
  { stores: { client }, prefix, pauses }: ScheduleReader,
  find: () => Promise<readonly Schedule[]>,
) {
  const readSchedulers = async () => {
    const now = await redisNow(client);
    return { now, schedulers: await countSchedulers(client, prefix, now) };
  };
  const [schedules, { now, schedulers }, pausesOf] = await Promise.all([
    find(),
    readSchedulers(),
    pauses.all(),
  ]);
  return { schedules, now, pausesOf, schedulers };
}

function shownPause({ reason, by, since }: SchedulePause) {
  return { reason, by, since: isoTime(since) };
}

/** Nobody waits longer. What was found until then is remembered, and the next answer goes on from there. */
const PLANNING_MS = 5_000;

/** Ticks of rare patterns take milliseconds to find: others have their turn in between. */
async function planEach(
  compute: Compute,
  schedules: readonly Schedule[],
  now: number,
  { next, past }: TicksShown,
) {
  const endsAt = performance.now() + PLANNING_MS;
  const planned: { schedule: Schedule; ahead: string[]; due: number[] }[] = [];
  for (const schedule of schedules) {
    if (performance.now() > endsAt) throw redisUnavailable(undefined, "planning takes too long");
    const ahead = await compute(() => upcoming(schedule, now, next));
    const due = await compute(() => schedule.timetable.latest(Math.max(1, past), now));
    planned.push({ schedule, ahead, due });
  }
  return planned;
}

/** @returns the ticks that were due, the latest first */
export async function readPastTicks(
  reader: ScheduleReader,
  schedule: Schedule,
  limit: number,
): Promise<PastTick[]> {
  const now = await inTime(redisNow(reader.stores.client));
  const pauses = await reader.pauses.of(schedule.name);
  return await readTicks(reader, schedule, schedule.timetable.latest(limit, now), { now, pauses });
}

/** @param at milliseconds since 1970 */
export async function explainTick(
  reader: ScheduleReader,
  schedule: Schedule,
  at: number,
): Promise<TickExplanation> {
  const { timetable, pattern } = schedule;
  if (timetable.next(at - 1) !== at) {
    if (pattern.next(at - 1) === at)
      return { kind: "skipped", why: "it is not between the schedule's startAt and endAt" };
    return {
      kind: "not-a-tick",
      previous: isoOrNull(timetable.latest(1, at)[0]),
      next: isoOrNull(timetable.next(at)),
    };
  }
  const now = await inTime(redisNow(reader.stores.client));
  const { jobId, state } = await readTickJob(reader, schedule, at);
  if (jobId === null) return await explainNoJob(reader, schedule, at, now);
  const lateMs = Math.max(0, submittedAt(jobId) - at);
  return { kind: lateMs > LATE_MS ? "caught-up" : "enqueued", jobId, state, lateMs };
}

async function explainNoJob(
  reader: ScheduleReader,
  schedule: Schedule,
  at: number,
  now: number,
): Promise<TickExplanation> {
  const pause = pauseAt(await reader.pauses.of(schedule.name), at);
  // A pause may be over before, or begin anew; a skip is of this tick.
  const isSkipped = pause !== undefined && (at <= now || skipsAhead([pause], now).length > 0);
  if (isSkipped) return { kind: "skipped", why: `the schedule was ${pauseText(pause)}` };
  const version = scheduleAt(schedule, at);
  const overlap = (await reader.overlaps.explain(version))(at);
  if (overlap !== undefined) return { kind: overlap.isQueued ? "awaited" : "skipped", why: overlap.why };
  if (at > now) return { kind: "not-due", inMs: Math.round(at - now) };
  return await explainAbsence(reader, schedule, at, now);
}

/** A tick that was due, and that nothing kept from running. */
async function explainAbsence(
  { retentionMs, ticks }: ScheduleReader,
  schedule: Schedule,
  at: number,
  now: number,
): Promise<TickExplanation> {
  const { catchUp, timetable } = scheduleAt(schedule, at);
  const { mode, max, windowMs } = catchUp;
  const ageMs = now - at;
  if (ageMs > retentionMs) {
    const kept = exactDurationText(retentionMs);
    return { kind: "forgotten", why: `it is longer ago than keys are remembered (${kept})` };
  }
  if (mode === "none" || ageMs > windowMs) {
    // When a schedule was put is known. Of a declared one, only its jobs show when it began to run.
    const isBeforeFirst =
      schedule.stored === undefined &&
      !(await ticks.ranBefore(schedule, at, now)) &&
      (await ticks.ranBefore(schedule, now + 1, now));
    if (isBeforeFirst)
      return { kind: "before-first", why: "the schedule was not there yet, or no scheduler was" };
    const why =
      mode === "none"
        ? "no scheduler submitted it in time, and catch-up is none"
        : `no scheduler ran within the catch-up window of ${exactDurationText(windowMs)}`;
    return { kind: "skipped", why };
  }
  const kept = mode === "all" ? max : 1;
  if (!timetable.latest(kept, now).includes(at))
    return { kind: "skipped", why: `catch-up runs only the latest ${kept}, and later ones were due` };
  return { kind: "awaited", why: "it is due, and a running scheduler will enqueue it" };
}

/** An explanation as a sentence. */
export function describeExplanation(explanation: TickExplanation): string {
  switch (explanation.kind) {
    case "not-a-tick":
      return `not a tick; the one before is ${explanation.previous ?? "never"}, the next ${explanation.next ?? "never"}`;
    case "not-due":
      return `not due yet, in ${durationText(explanation.inMs)}`;
    case "enqueued":
    case "caught-up": {
      const { kind, jobId, state, lateMs } = explanation;
      const how = kind === "enqueued" ? kind : `caught up ${durationText(lateMs)} late`;
      return `${how} as job ${jobId} (${state ?? "no longer stored"})`;
    }
    case "skipped":
      return `skipped: ${explanation.why}`;
    case "awaited":
      return `not enqueued yet: ${explanation.why}`;
    case "before-first":
      return `before the schedule's first known job: ${explanation.why}`;
    case "forgotten":
      return `unknown: ${explanation.why}`;
  }
}

/** @param instants the latest first */
async function readTicks(
  reader: ScheduleReader,
  schedule: Schedule,
  instants: readonly number[],
  { now, pauses }: { readonly now: number; readonly pauses: readonly SchedulePause[] },
): Promise<PastTick[]> {
  // Read before the jobs: a tick that was queued then, and has been submitted since, has a job by now.
  const explain = await reader.overlaps.explain(schedule);
  const found = await Promise.all(
    instants.map(async (at) => {
      const job = await readTickJob(reader, schedule, at);
      return { at: isoTime(at), ...job, overlap: job.jobId === null ? overlapText(explain(at)) : null };
    }),
  );
  const first = found.findLastIndex(({ jobId, overlap }) => jobId !== null || overlap !== null);
  const oldest = instants.at(-1);
  const isAsked = schedule.stored === undefined && first < found.length - 1 && oldest !== undefined;
  const ranEarlier = isAsked && (await reader.ticks.ranBefore(schedule, oldest, now));
  const canBeMissed = (at: number) =>
    at > now - reader.retentionMs && at < now - GRACE_MS && pauseAt(pauses, at) === undefined;
  return found.map((tick, index) => {
    const isBeforeFirst = isAsked && !ranEarlier && index > first;
    const isAbsent = tick.jobId === null && tick.overlap === null && !isBeforeFirst;
    return { ...tick, isBeforeFirst, isMissed: isAbsent && canBeMissed(instants[index] ?? now) };
  });
}

function overlapText(explanation: OverlapExplanation | undefined): string | null {
  if (explanation === undefined) return null;
  return explanation.isQueued ? explanation.why : `skipped: ${explanation.why}`;
}

async function readTickJob(
  { stores, readStatus }: ScheduleReader,
  schedule: Schedule,
  at: number,
): Promise<Pick<PastTick, "jobId" | "state">> {
  const { job } = scheduleAt(schedule, at);
  const dedupKey = dedupKeyOf(job.type, tickKey(schedule, at));
  const jobId = await inTime(findDedupKeyHolder(stores, dedupKey, job));
  const status = jobId === null ? undefined : await inTime(readStatus(jobId));
  return { jobId, state: status?.state ?? null };
}

function upcoming({ timetable }: Schedule, after: number, count: number): string[] {
  const ticks: string[] = [];
  for (let at = timetable.next(after); at !== undefined && ticks.length < count; at = timetable.next(at)) {
    ticks.push(isoTime(at));
  }
  return ticks;
}
