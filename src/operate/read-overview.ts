import { nearestTime } from "../lib/iso-time.ts";
import { SILENT_AFTER_MS, type WorkerHeartbeat } from "../queue/heartbeat.ts";
import type { QueueStore } from "../queue/queue-store.ts";
import { type Activity, readActivity } from "../queue/read-activity.ts";
import { type Backlog, readBacklog } from "../queue/read-backlog.ts";
import { CLOCK_TOLERANCE_MS } from "../redis/clock.ts";
import type { CountCancelled } from "./count-cancelled.ts";
import type { Percentiles, QueueOverview, WorkerOverview } from "./overview.ts";

/** What one reading of a queue tells. */
export interface QueueReading {
  /** The store's clock, in milliseconds since 1970. */
  readonly now: number;
  readonly queue: QueueOverview;
  /** How many jobs were ever added. */
  readonly submitted: number;
  readonly workers: readonly WorkerOverview[];
  /** How many of them gave a sign of life lately. */
  readonly liveWorkers: number;
  readonly startMs: readonly number[];
  readonly runMs: readonly number[];
}

const HELD_MAX = 20;

/** Reads what goes on in a queue, in about a millisecond of the store's. */
export async function readQueue(
  store: QueueStore,
  countCancelled: CountCancelled = async () => 0,
): Promise<QueueReading> {
  const name = store.queue;
  const [backlog, activity] = await Promise.all([readBacklog(store), readActivity(store)]);
  return {
    now: activity.now,
    submitted: activity.submitted,
    queue: {
      name,
      ...backlog.jobs,
      cancelled: await countCancelled(store, backlog.jobs.failed),
      inDoubt: backlog.doubts,
      oldestWaitingSince: sinceOf(backlog.oldestWaitingMs, activity.now),
      oldestDoubtSince: sinceOf(backlog.oldestDoubtMs, activity.now),
      completedPerSecond: activity.completedPerSecond,
      failedPerSecond: activity.failedPerSecond,
      isPaused: activity.isPaused,
    },
    workers: workersOf(name, activity, backlog),
    liveWorkers: backlog.workers,
    startMs: activity.times.map(({ startMs }) => startMs),
    runMs: activity.times.map(({ runMs }) => runMs),
  };
}

function workersOf(queue: string, activity: Activity, backlog: Backlog): WorkerOverview[] {
  const active = activity.active.map(({ jobId, type, worker, since }) => ({
    worker,
    job: { jobId, type, since: nearestTime(since) },
  }));
  return activity.workers.map(({ name, heartbeat, seenAt: seen }) => {
    const sign = signIn(heartbeat);
    const isSilent = activity.now - Number(seen) >= SILENT_AFTER_MS;
    return {
      name,
      queue,
      startedAt: nearestTime(sign.startedAt),
      seenAt: nearestTime(seen),
      concurrency: sign.concurrency,
      running: sign.running,
      lastClaimedAt: sign.claimedAt === null ? null : nearestTime(sign.claimedAt),
      isSilent,
      isStuck: !isSilent && isStuck(sign, activity, backlog),
      isClockWrong: !isSilent && isClockWrong(sign),
      holds: active
        .filter(({ worker }) => worker === name)
        .slice(0, HELD_MAX)
        .map(({ job }) => job),
    };
  });
}

/** What a worker of another version wrote may lack something. */
function signIn(json: string): WorkerHeartbeat {
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
    return signIn("{}");
  }
}

function isStuck(
  { startedAt, running, concurrency, claimedAt, stuckAfterMs }: WorkerHeartbeat,
  { isPaused, now }: Activity,
  { oldestWaitingMs }: Backlog,
): boolean {
  if (isPaused || running >= concurrency) return false;
  return oldestWaitingMs > stuckAfterMs && now - Math.max(startedAt, claimedAt ?? 0) > stuckAfterMs;
}

function isClockWrong({ clockOffsetMs }: WorkerHeartbeat): boolean {
  return Math.abs(clockOffsetMs) > CLOCK_TOLERANCE_MS;
}

/** @param ageMs 0 where there is none */
function sinceOf(ageMs: number, now: number): string | null {
  return ageMs === 0 ? null : nearestTime(now - ageMs);
}

/** Nearest-rank percentiles. */
export function percentilesOf(values: readonly number[]): Percentiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}
