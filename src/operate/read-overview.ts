import { isoTime } from "../lib/iso-time.ts";
import type { QueueStores } from "../queue/queue-store.ts";
import { CLOCK_TOLERANCE_MS, type Clock } from "../redis/clock.ts";
import { inTime } from "../redis/redis-errors.ts";
import type { Expectations } from "../redis/requirements.ts";
import { openCancelledCounter } from "./count-cancelled.ts";
import type { Overview, RedisOverview, SamplePoint, WorkerOverview } from "./overview.ts";
import { percentilesOf, type QueueReading, readQueue } from "./queue-overview.ts";
import { openRedisReader } from "./redis-overview.ts";

export interface OverviewOptions {
  readonly stores: QueueStores;
  readonly queues: readonly string[];
  readonly expectations: Expectations;
  readonly clock: Pick<Clock, "offsetMs">;
}

export interface OverviewReader {
  /** @throws HoldfastError `STORE_UNAVAILABLE` */
  read(): Promise<Overview>;
  clearHistory(): void;
}

const HISTORY_MAX = 300;
/** Rates over a shorter time are mostly noise. */
const SHORTEST_STEP_S = 0.5;

/** Reads overviews. Each one adds a point to the history. */
export function openOverviewReader({ stores, queues, expectations, clock }: OverviewOptions): OverviewReader {
  const readRedis = openRedisReader(stores.client, expectations);
  const countCancelled = openCancelledCounter();
  const history = createHistory();
  return {
    async read() {
      const reads = queues.map((queue) => readQueue(stores.partitionsOf([queue]), countCancelled));
      const [redis, ...readings] = await inTime(Promise.all([readRedis(), ...reads]));
      const now = readings[0]?.now ?? Date.now();
      const workers = readings.flatMap((reading) => reading.workers);
      const guarantees = [...redis.guarantees, clockGuarantee(clock.offsetMs(), workers)];
      return {
        at: isoTime(now),
        queues: readings.map(({ queue }) => queue),
        history: history.add(now, readings),
        timeToStart: percentilesOf(readings.flatMap(({ startMs }) => startMs)),
        runTime: percentilesOf(readings.flatMap(({ runMs }) => runMs)),
        workers,
        store: { ...redis, guarantees },
      };
    },
    clearHistory: history.clear,
  };
}

function createHistory() {
  let points: SamplePoint[] = [];
  let last: { readonly now: number; readonly submitted: number } | undefined;
  return {
    add(now: number, readings: readonly QueueReading[]): SamplePoint[] {
      const submitted = sum(readings.map((reading) => reading.submitted));
      const seconds = last === undefined ? Number.POSITIVE_INFINITY : (now - last.now) / 1_000;
      if (seconds <= SHORTEST_STEP_S) return points;
      if (last !== undefined) {
        const point = {
          at: isoTime(now),
          submitted: Math.max(0, submitted - last.submitted) / seconds,
          completed: sum(readings.map(({ queue }) => queue.completedPerSecond)),
          failed: sum(readings.map(({ queue }) => queue.failedPerSecond)),
        };
        points = [...points, point].slice(-HISTORY_MAX);
      }
      last = { now, submitted };
      return points;
    },
    clear() {
      points = [];
      last = undefined;
    },
  };
}

function clockGuarantee(
  offsetMs: number,
  workers: readonly WorkerOverview[],
): RedisOverview["guarantees"][0] {
  const wrong = workers.filter(({ isClockWrong }) => isClockWrong).map(({ name }) => `worker ${name}`);
  if (Math.abs(offsetMs) > CLOCK_TOLERANCE_MS) wrong.unshift("this API process");
  const detail =
    wrong.length === 0
      ? "no clock is more than 2 s off Redis's"
      : `CLOCK_WRONG: more than 2 s off Redis's, and doing no work: ${wrong.join(", ")}. Remedy: synchronise the clocks (NTP).`;
  return { name: "Clocks agree with Redis's", holds: wrong.length === 0, detail };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
