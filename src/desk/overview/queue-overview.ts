import { queueOfPartition } from "../../core/bullmq/store/partitions.ts";
import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import type { Rate } from "../../core/job/define-config.ts";
import { type QueueControl, readControl } from "../../features/queue-control/queue-control.ts";
import { SILENT_AFTER_MS, type WorkerHeartbeat } from "../../features/workers/heartbeat.ts";
import { nearestTime } from "../../platform/lib/iso-time.ts";
import { CLOCK_TOLERANCE_MS } from "../../platform/redis/fitness/clock.ts";
import type { CountCancelled } from "../acts/count-cancelled.ts";
import { shownLimits, shownPause } from "../queues/queues.ts";
import type { Percentiles, QueueOverview, WorkerOverview } from "./overview.ts";
import { type Activity, readActivity } from "./read-activity.ts";
import { type Backlog, readBacklog } from "./read-backlog.ts";

export interface QueueReading {
  /** Redis's clock, in milliseconds since 1970. */
  readonly now: number;
  readonly queue: QueueOverview;
  /** How many jobs were ever added. */
  readonly submitted: number;
  readonly workers: readonly WorkerOverview[];
  /** How many of them have a recent heartbeat. */
  readonly liveWorkers: number;
  readonly startMs: readonly number[];
  readonly runMs: readonly number[];
}

const HELD_MAX = 20;

/** Reads what happens in a queue: in all its partitions, each of which occupies Redis for about a millisecond. */
export async function readQueue(
  partitions: readonly QueueStore[],
  countCancelled: CountCancelled = async () => 0,
): Promise<QueueReading> {
  const [first, ...others] = partitions;
  const [control, ...readings] = await Promise.all([
    first && readControl([first, ...others]),
    ...partitions.map((store) => readPartition(store, countCancelled)),
  ]);
  const reading = readings.reduce(together);
  return control === undefined ? reading : { ...reading, queue: withControl(reading.queue, control) };
}

/** What an operator and the application have set for it. */
function withControl(queue: QueueOverview, { pause, limits, override }: QueueControl): QueueOverview {
  return {
    ...queue,
    paused: queue.isPaused ? shownPause(pause) : null,
    limits: shownLimits(limits),
    limitedBy: override?.by ?? null,
    clearsInMs: clearsInMs(queue.waiting + queue.prioritized, limits.rate),
  };
}

function clearsInMs(waiting: number, rate: Rate | undefined): number | null {
  return rate === undefined ? null : Math.ceil(waiting / rate.count) * rate.perMs;
}

async function readPartition(store: QueueStore, countCancelled: CountCancelled): Promise<QueueReading> {
  const name = queueOfPartition(store.queue);
  const [backlog, activity] = await Promise.all([readBacklog(store), readActivity(store)]);
  const { "waiting-children": waitingChildren, ...jobs } = backlog.jobs;
  const { now, submitted, completedPerSecond, failedPerSecond, isPaused, times } = activity;
  return {
    now,
    submitted,
    queue: {
      name,
      ...jobs,
      waitingChildren,
      cancelled: await countCancelled(store, jobs.failed),
      inDoubt: backlog.doubts,
      oldestWaitingSince: sinceOf(backlog.oldestWaitingMs, now),
      oldestDoubtSince: sinceOf(backlog.oldestDoubtMs, now),
      completedPerSecond,
      failedPerSecond,
      isPaused,
      paused: null,
      workers: backlog.workers,
      limits: shownLimits({}),
      limitedBy: null,
      clearsInMs: null,
    },
    workers: workersOf(name, activity, backlog),
    liveWorkers: backlog.workers,
    startMs: times.map(({ startMs }) => startMs),
    runMs: times.map(({ runMs }) => runMs),
  };
}

/** Two partitions of one queue. */
function together(a: QueueReading, b: QueueReading): QueueReading {
  return {
    now: a.now,
    submitted: a.submitted + b.submitted,
    queue: sumOf(a.queue, b.queue),
    workers: mergeWorkers([...a.workers, ...b.workers]),
    liveWorkers: Math.max(a.liveWorkers, b.liveWorkers),
    startMs: [...a.startMs, ...b.startMs],
    runMs: [...a.runMs, ...b.runMs],
  };
}

function sumOf(a: QueueOverview, b: QueueOverview): QueueOverview {
  const sums = { ...a };
  for (const name of summed) sums[name] += b[name];
  return {
    ...sums,
    oldestWaitingSince: earliest(a.oldestWaitingSince, b.oldestWaitingSince),
    oldestDoubtSince: earliest(a.oldestDoubtSince, b.oldestDoubtSince),
    isPaused: a.isPaused || b.isPaused,
    // Each worker claims from all partitions.
    workers: Math.max(a.workers, b.workers),
  };
}

const summed = [
  "waiting",
  "waitingChildren",
  "prioritized",
  "delayed",
  "active",
  "completed",
  "failed",
  "cancelled",
  "inDoubt",
  "completedPerSecond",
  "failedPerSecond",
] as const;

function earliest(a: string | null, b: string | null): string | null {
  if (a === null || b === null) return a ?? b;
  return a < b ? a : b;
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
    holds: [...a.holds, ...b.holds].slice(0, HELD_MAX),
  };
}

function workersOf(queue: string, activity: Activity, backlog: Backlog): WorkerOverview[] {
  return [...seenWorkers(queue, activity, backlog), ...goneWorkers(queue, activity)];
}

/** Workers without a heartbeat, of which jobs are still active. */
function goneWorkers(queue: string, { active, workers }: Activity): WorkerOverview[] {
  const seen = new Set(workers.map(({ name }) => name));
  const gone = new Set(active.map(({ worker }) => worker).filter((name) => name !== "" && !seen.has(name)));
  return [...gone].map((name) => {
    const holds = holdsOf(name, active);
    const at = holds.map(({ since }) => since).sort()[0] ?? nearestTime(0);
    const nothing = { concurrency: 0, running: 0, lastClaimedAt: null, isStuck: false, isClockWrong: false };
    return { name, queue, startedAt: at, seenAt: at, ...nothing, isSilent: true, isGone: true, holds };
  });
}

function holdsOf(worker: string, active: Activity["active"]): WorkerOverview["holds"] {
  return active
    .filter((job) => job.worker === worker)
    .slice(0, HELD_MAX)
    .map(({ jobId, type, since }) => ({ jobId, type, since: nearestTime(since) }));
}

function seenWorkers(queue: string, activity: Activity, backlog: Backlog): WorkerOverview[] {
  const beats = activity.workers.map(({ heartbeat }) => parseHeartbeat(heartbeat));
  const latestClaimAt = Math.max(0, ...beats.map(({ claimedAt }) => claimedAt ?? 0));
  return activity.workers.map(({ name, heartbeat, seenAt }) => {
    const beat = parseHeartbeat(heartbeat);
    // Those that share a limit take turns.
    const claimedAt = backlog.isLimited ? latestClaimAt : (beat.claimedAt ?? 0);
    const isSilent = activity.now - Number(seenAt) >= SILENT_AFTER_MS;
    return {
      name,
      queue,
      startedAt: nearestTime(beat.startedAt),
      seenAt: nearestTime(seenAt),
      concurrency: beat.concurrency,
      running: beat.running,
      lastClaimedAt: beat.claimedAt === null ? null : nearestTime(beat.claimedAt),
      isSilent,
      isStuck: !isSilent && isStuck({ ...beat, claimedAt }, activity, backlog),
      isClockWrong: !isSilent && Math.abs(beat.clockOffsetMs) > CLOCK_TOLERANCE_MS,
      isGone: false,
      holds: holdsOf(name, activity.active),
    };
  });
}

/** Reads a heartbeat. One of another version may lack something. */
function parseHeartbeat(json: string): WorkerHeartbeat {
  try {
    const { startedAt, concurrency, running, claimedAt, clockOffsetMs, stuckAfterMs } = JSON.parse(json);
    return {
      startedAt: Number(startedAt) || 0,
      concurrency: Math.trunc(Number(concurrency)) || 0,
      running: Math.trunc(Number(running)) || 0,
      claimedAt: Number(claimedAt) || null,
      clockOffsetMs: Number(clockOffsetMs) || 0,
      stuckAfterMs: Number(stuckAfterMs) || Number.POSITIVE_INFINITY,
    };
  } catch {
    return parseHeartbeat("{}");
  }
}

function isStuck(
  { startedAt, running, concurrency, claimedAt, stuckAfterMs }: WorkerHeartbeat,
  { isPaused, now }: Activity,
  { oldestWaitingMs, isAtLimit }: Backlog,
): boolean {
  if (isPaused || isAtLimit || running >= concurrency) return false;
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
