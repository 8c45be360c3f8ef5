import { nearestTime } from "../lib/iso-time.ts";
import { SILENT_AFTER_MS, type WorkerHeartbeat } from "../queue/heartbeat.ts";
import type { QueueStore } from "../queue/queue-store.ts";
import { type Backlog, readBacklog } from "../queue/read-backlog.ts";
import { CLOCK_TOLERANCE_MS } from "../redis/clock.ts";
import { loadScript } from "../redis/script.ts";
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

const script = loadScript(import.meta.url, "../queue/activity.lua");

const RATE_WINDOW_MS = 10_000;
const TIMED_JOBS = 100;
const NAMED_JOBS = 200;
const HELD_MAX = 20;

interface Told {
  readonly now: number;
  readonly submitted: number;
  readonly isPaused: boolean;
  readonly completedPerSecond: number;
  readonly failedPerSecond: number;
  readonly times: string;
  // An empty list comes as an object.
  readonly active: string[] | Record<string, never>;
  readonly workers: string[] | Record<string, never>;
}

/** Reads what goes on in a queue, in about a millisecond of the store's. */
export async function readQueue(
  store: QueueStore,
  countCancelled: CountCancelled = async () => 0,
): Promise<QueueReading> {
  const { queue: name, client, keys } = store;
  const { active, completed, failed, jobCounter, meta, workers, workersSeen } = keys;
  const used = [active, completed, failed, jobCounter, meta, workers, workersSeen];
  const [backlog, reply] = await Promise.all([
    readBacklog(store),
    script.run(client, used, [keys.start, RATE_WINDOW_MS, TIMED_JOBS, NAMED_JOBS]),
  ]);
  const told = JSON.parse(String(reply)) as Told;
  const times = told.times
    .split(";")
    .map((job) => job.split(",").map(Number))
    .filter((job) => job.length === 4 && job.every(Number.isFinite));
  return {
    now: told.now,
    submitted: told.submitted,
    queue: {
      name,
      ...backlog.jobs,
      cancelled: await countCancelled(store, backlog.jobs.failed),
      inDoubt: backlog.doubts,
      oldestWaitingSince: sinceOf(backlog.oldestWaitingMs, told.now),
      oldestDoubtSince: sinceOf(backlog.oldestDoubtMs, told.now),
      completedPerSecond: told.completedPerSecond,
      failedPerSecond: told.failedPerSecond,
      isPaused: told.isPaused,
    },
    workers: workersOf(name, told, backlog),
    liveWorkers: backlog.workers,
    startMs: times.map(([submitted = 0, delay = 0, started = 0]) => Math.max(0, started - submitted - delay)),
    runMs: times.map(([, , started = 0, finished = 0]) => Math.max(0, finished - started)),
  };
}

function workersOf(queue: string, told: Told, backlog: Backlog): WorkerOverview[] {
  const active = chunks(told.active, 4).map(([jobId = "", type = "", worker = "", since = "0"]) => ({
    worker,
    job: { jobId, type, since: nearestTime(since) },
  }));
  return chunks(told.workers, 3).map(([name = "", about = "{}", seen = "0"]) => {
    const sign = signIn(about);
    const isSilent = told.now - Number(seen) >= SILENT_AFTER_MS;
    return {
      name,
      queue,
      startedAt: nearestTime(sign.startedAt),
      seenAt: nearestTime(seen),
      concurrency: sign.concurrency,
      running: sign.running,
      lastClaimedAt: sign.claimedAt === null ? null : nearestTime(sign.claimedAt),
      isSilent,
      isStuck: !isSilent && isStuck(sign, told, backlog),
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
  { isPaused, now }: Told,
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

function chunks(list: Told["active"], size: number): string[][] {
  if (!Array.isArray(list)) return [];
  return Array.from({ length: list.length / size }, (_, index) =>
    list.slice(index * size, (index + 1) * size),
  );
}

/** Nearest-rank percentiles. */
export function percentilesOf(values: readonly number[]): Percentiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}
