import { readControl } from "../../core/bullmq/queue-control.ts";
import { queueOfPartition } from "../../core/bullmq/store/partitions.ts";
import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import type { Rate } from "../../core/job/application.ts";
import { SILENT_AFTER_MS } from "../../core/job/worker-heartbeat.ts";
import type { WorkerHeartbeat } from "../../core/watch/heartbeat.ts";
import { nearestTime } from "../../platform/lib/iso-time.ts";
import { CLOCK_TOLERANCE_MS } from "../../platform/redis/fitness/clock.ts";
import type { FailedCount, FailureReader } from "../jobs/failure-groups.ts";
import { readCurbViews } from "../queues/curbs.ts";
import { shownLimits, shownPause } from "../queues/queues.ts";
import { shownRamp } from "../queues/ramps.ts";
import { shownQuiet } from "../workers/quiet-records.ts";
import type { Percentiles, QueueOverview, WorkerOverview } from "./overview.ts";
import { type Activity, readActivity } from "./read-activity.ts";
import { type Backlog, readBacklog, together } from "./read-backlog.ts";

export type QueueReading = Awaited<ReturnType<typeof readQueue>>;

const HELD_MAX = 20;

/** Reads what happens in a queue: in all its partitions, each of which occupies Redis for about a millisecond. */
export async function readQueue(
  partitions: readonly QueueStore[],
  countFailed: FailureReader["count"] = async () => uncounted,
) {
  const [first, ...others] = partitions;
  if (first === undefined) throw new TypeError("expected a partition");
  const [{ pause, limits, override, ramp }, failed, curbs, parts] = await Promise.all([
    readControl([first, ...others]),
    countFailed(partitions),
    readCurbViews([first, ...others]),
    Promise.all(partitions.map(readPartition)),
  ]);
  const activities = parts.map(({ activity }) => activity);
  const sum = (of: "submitted" | "completedPerSecond" | "failedPerSecond") =>
    activities.reduce((total, activity) => total + activity[of], 0);
  const now = activities[0]?.now ?? 0;
  const backlog = parts.map((part) => part.backlog).reduce(together);
  const { "waiting-children": waitingChildren, ...jobs } = backlog.jobs;
  const isPaused = activities.some((activity) => activity.isPaused);
  const times = activities.flatMap((activity) => activity.times);
  const queue: QueueOverview = {
    name: queueOfPartition(first.queue),
    ...jobs,
    waitingChildren,
    ...failed,
    inDoubt: backlog.doubts,
    stillRunning: activities.reduce((total, { stillRunning }) => total + stillRunning.count, 0),
    oldestWaitingSince: sinceOf(backlog.oldestWaitingMs, now),
    oldestDoubtSince: sinceOf(backlog.oldestDoubtMs, now),
    completedPerSecond: sum("completedPerSecond"),
    failedPerSecond: sum("failedPerSecond"),
    isPaused,
    paused: isPaused ? shownPause(pause) : null,
    workers: backlog.workers,
    quietWorkers: backlog.quietWorkers,
    limits: shownLimits(limits),
    ramp: shownRamp(ramp),
    curbs,
    limitedBy: override?.by ?? null,
    clearsInMs: isPaused ? null : clearsInMs(jobs.waiting + jobs.prioritized, limits.rate),
  };
  return {
    now,
    queue,
    submitted: sum("submitted"),
    workers: mergeWorkers(parts.flatMap((part, index) => workersOf(part, partitions[index] ?? first))),
    startMs: times.map(({ startMs }) => startMs),
    runMs: times.map(({ runMs }) => runMs),
  };
}

function clearsInMs(waiting: number, rate: Rate | undefined): number | null {
  return rate === undefined ? null : Math.ceil(waiting / rate.count) * rate.perMs;
}

interface PartReading {
  readonly name: string;
  readonly backlog: Backlog;
  readonly activity: Activity;
}

/** For those who do not show it. */
const uncounted: FailedCount = { failed: 0, cancelled: 0, failedInDoubt: 0, isFailedExact: false };

async function readPartition(store: QueueStore): Promise<PartReading> {
  const [backlog, activity] = await Promise.all([readBacklog(store), readActivity(store)]);
  return { name: queueOfPartition(store.queue), backlog, activity };
}

/** A worker reports itself in each partition, with what it runs in all of them. */
function mergeWorkers(reports: readonly WorkerOverview[]): WorkerOverview[] {
  const workers = new Map<string, WorkerOverview>();
  for (const report of reports) {
    const known = workers.get(report.name);
    workers.set(report.name, known === undefined ? report : sameWorker(known, report));
  }
  return [...workers.values()];
}

function sameWorker(a: WorkerOverview, b: WorkerOverview): WorkerOverview {
  const latest = a.seenAt > b.seenAt ? a : b;
  return {
    ...latest,
    lastClaimedAt: (a.lastClaimedAt ?? "") > (b.lastClaimedAt ?? "") ? a.lastClaimedAt : b.lastClaimedAt,
    isSilent: a.isSilent && b.isSilent,
    isGone: a.isGone && b.isGone,
    isStuck: a.isStuck || b.isStuck,
    quiet: a.quiet ?? b.quiet,
    holds: [...a.holds, ...b.holds].slice(0, HELD_MAX),
    stillRuns: [...a.stillRuns, ...b.stillRuns].slice(0, HELD_MAX),
  };
}

function workersOf(part: PartReading, store: QueueStore): WorkerOverview[] {
  return [...seenWorkers(part, store), ...goneWorkers(part.name, part.activity)];
}

/** Workers without a heartbeat, of which jobs are still active. */
function goneWorkers(queue: string, { active, workers }: Activity): WorkerOverview[] {
  const seen = new Set(workers.map(({ name }) => name));
  const gone = new Set(active.map(({ worker }) => worker).filter((name) => name !== "" && !seen.has(name)));
  return [...gone].map((name) => {
    const holds = holdsOf(name, active);
    const at = holds.map(({ since }) => since).sort()[0] ?? nearestTime(0);
    const nothing = {
      version: null,
      concurrency: 0,
      running: 0,
      lastClaimedAt: null,
      isStuck: false,
      isClockWrong: false,
      quiet: null,
    };
    const gone = { isSilent: true, isGone: true, holds, stillRuns: [] };
    return { name, queue, startedAt: at, seenAt: at, ...nothing, ...gone };
  });
}

function holdsOf(worker: string, active: Activity["active"]): WorkerOverview["holds"] {
  return active
    .filter((job) => job.worker === worker)
    .slice(0, HELD_MAX)
    .map(({ jobId, type, since }) => ({ jobId, type, since: nearestTime(since) }));
}

function stillRunsOf(worker: string, { stillRunning }: Activity): WorkerOverview["stillRuns"] {
  return stillRunning.runs
    .filter((run) => run.worker === worker)
    .slice(0, HELD_MAX)
    .map(({ jobId, type, at }) => ({ jobId, type, toldAt: nearestTime(at) }));
}

function seenWorkers({ name: queue, activity, backlog }: PartReading, store: QueueStore): WorkerOverview[] {
  const beats = activity.workers.map(({ heartbeat }) => parseHeartbeat(heartbeat));
  const latestClaimAt = Math.max(0, ...beats.map(({ claimedAt }) => claimedAt ?? 0));
  return activity.workers.map(({ name, heartbeat, seenAt, told }) => {
    const beat = parseHeartbeat(heartbeat);
    // Those that share a limit take turns.
    const claimedAt = backlog.isLimited ? latestClaimAt : (beat.claimedAt ?? 0);
    const isSilent = activity.now - Number(seenAt) >= SILENT_AFTER_MS;
    return {
      name,
      queue,
      version: beat.version || null,
      startedAt: nearestTime(beat.startedAt),
      seenAt: nearestTime(seenAt),
      concurrency: beat.concurrency,
      running: beat.running,
      lastClaimedAt: beat.claimedAt === null ? null : nearestTime(beat.claimedAt),
      isSilent,
      isStuck: !isSilent && isStuck({ ...beat, claimedAt }, activity, backlog),
      isClockWrong: !isSilent && Math.abs(beat.clockOffsetMs) > CLOCK_TOLERANCE_MS,
      isGone: false,
      quiet: shownQuiet(store, told, beat),
      holds: holdsOf(name, activity.active),
      stillRuns: stillRunsOf(name, activity),
    };
  });
}

/** Reads a heartbeat. One of another version may lack something. */
function parseHeartbeat(json: string): WorkerHeartbeat {
  try {
    const beat: Partial<Record<keyof WorkerHeartbeat, unknown>> = JSON.parse(json);
    const { startedAt, concurrency, running, claimedAt, clockOffsetMs, stuckAfterMs, version, isQuiet } =
      beat;
    return {
      startedAt: Number(startedAt) || 0,
      concurrency: Math.trunc(Number(concurrency)) || 0,
      running: Math.trunc(Number(running)) || 0,
      claimedAt: Number(claimedAt) || null,
      clockOffsetMs: Number(clockOffsetMs) || 0,
      stuckAfterMs: Number(stuckAfterMs) || Number.POSITIVE_INFINITY,
      version: String(version ?? ""),
      isQuiet: isQuiet === true,
    };
  } catch {
    return parseHeartbeat("{}");
  }
}

function isStuck(
  { startedAt, running, concurrency, claimedAt, stuckAfterMs, isQuiet }: WorkerHeartbeat,
  { isPaused, now }: Activity,
  { oldestWaitingMs, isAtLimit }: Backlog,
): boolean {
  if (isPaused || isQuiet || isAtLimit || running >= concurrency) return false;
  return oldestWaitingMs > stuckAfterMs && now - Math.max(startedAt, claimedAt ?? 0) > stuckAfterMs;
}

/** @param ageMs 0 if there is none */
export function sinceOf(ageMs: number, now: number): string | null {
  return ageMs === 0 ? null : nearestTime(now - ageMs);
}

/** Nearest-rank percentiles. */
export function percentilesOf(values: readonly number[]): Percentiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}
