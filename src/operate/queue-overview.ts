import { nearestTime } from "../lib/iso-time.ts";
import { SILENT_AFTER_MS, type WorkerHeartbeat } from "../queue/heartbeat.ts";
import type { QueueStore } from "../queue/queue-store.ts";
import { type Activity, readActivity } from "../queue/read-activity.ts";
import { type Backlog, readBacklog } from "../queue/read-backlog.ts";
import { CLOCK_TOLERANCE_MS } from "../redis/clock.ts";
import type { CountCancelled } from "./count-cancelled.ts";
import type { Percentiles, QueueOverview, WorkerOverview } from "./overview.ts";

/** One reading of a queue. */
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

/** Reads what happens in a queue. Occupies Redis for about a millisecond. */
export async function readQueue(
  store: QueueStore,
  countCancelled: CountCancelled = async () => 0,
): Promise<QueueReading> {
  const name = store.queue;
  const [backlog, activity] = await Promise.all([readBacklog(store), readActivity(store)]);
  const { now, submitted, completedPerSecond, failedPerSecond, isPaused, times } = activity;
  return {
    now,
    submitted,
    queue: {
      name,
      ...backlog.jobs,
      cancelled: await countCancelled(store, backlog.jobs.failed),
      inDoubt: backlog.doubts,
      oldestWaitingSince: sinceOf(backlog.oldestWaitingMs, now),
      oldestDoubtSince: sinceOf(backlog.oldestDoubtMs, now),
      completedPerSecond,
      failedPerSecond,
      isPaused,
    },
    workers: workersOf(name, activity, backlog),
    liveWorkers: backlog.workers,
    startMs: times.map(({ startMs }) => startMs),
    runMs: times.map(({ runMs }) => runMs),
  };
}

function workersOf(queue: string, activity: Activity, backlog: Backlog): WorkerOverview[] {
  return activity.workers.map(({ name, heartbeat, seenAt }) => {
    const beat = parseHeartbeat(heartbeat);
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
      isStuck: !isSilent && isStuck(beat, activity, backlog),
      isClockWrong: !isSilent && Math.abs(beat.clockOffsetMs) > CLOCK_TOLERANCE_MS,
      holds: activity.active
        .filter(({ worker }) => worker === name)
        .slice(0, HELD_MAX)
        .map(({ jobId, type, since }) => ({ jobId, type, since: nearestTime(since) })),
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
  { oldestWaitingMs }: Backlog,
): boolean {
  if (isPaused || running >= concurrency) return false;
  return oldestWaitingMs > stuckAfterMs && now - Math.max(startedAt, claimedAt ?? 0) > stuckAfterMs;
}

/** @param ageMs 0 if there is none */
function sinceOf(ageMs: number, now: number): string | null {
  return ageMs === 0 ? null : nearestTime(now - ageMs);
}

/** Nearest-rank percentiles. */
export function percentilesOf(values: readonly number[]): Percentiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}
