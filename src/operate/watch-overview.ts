import type { Durability } from "../config/variables.ts";
import { isoTime } from "../lib/iso-time.ts";
import { oneAtATime } from "../lib/one-at-a-time.ts";
import { type Running, stopOnce } from "../lib/running.ts";
import type { QueueStores } from "../queue/queue-store.ts";
import { CLOCK_TOLERANCE_MS, type Clock } from "../redis/clock.ts";
import { inTime } from "../redis/redis-errors.ts";
import { openCancelledCounter } from "./count-cancelled.ts";
import type { Overview, RedisOverview, SamplePoint, WorkerOverview } from "./overview.ts";
import { percentilesOf, type QueueReading, readQueue } from "./read-overview.ts";
import { openRedisReader } from "./read-redis.ts";

export interface OverviewWatchOptions {
  readonly stores: QueueStores;
  readonly queues: readonly string[];
  readonly durability: Durability;
  readonly clock: Pick<Clock, "offsetMs">;
}

/** One view of the whole, read once for all who look at it. */
export interface OverviewWatch extends Running {
  /**
   * What goes on now.
   *
   * @throws HoldfastError `STORE_UNAVAILABLE`
   */
  read(): Promise<Overview>;
  /**
   * Tells every view from now on; nothing while the store is away.
   *
   * @returns takes the listener off again
   */
  onView(listener: (view: Overview) => void): () => void;
}

const INTERVAL_MS = 2_000;
const HISTORY_MAX = 300;
/** So long after the last reader the sampling ends. */
const DESERTED_AFTER_MS = 5 * 60_000;

/** Samples only while somebody looks: what goes on is in the store, and a process that nobody asks need not know. */
export function openOverviewWatch(options: OverviewWatchOptions): OverviewWatch {
  const { stores, queues, durability, clock } = options;
  const readStore = openRedisReader(stores.client, durability);
  const countCancelled = openCancelledCounter();
  const declared = queues.map(stores.of);
  const listeners = new Set<(view: Overview) => void>();
  let history: SamplePoint[] = [];
  let before: { readonly now: number; readonly submitted: number } | undefined;
  let timer: NodeJS.Timeout | undefined;
  let lookedAt = 0;
  let latest: { readonly view: Overview; readonly at: number } | undefined;

  const sample = oneAtATime(async () => {
    const [store, ...readings] = await inTime(
      Promise.all([readStore(), ...declared.map((store) => readQueue(store, countCancelled))]),
    );
    addPoint(readings);
    const workers = readings.flatMap((reading) => reading.workers);
    const guarantees = [...store.guarantees, clockGuarantee(clock.offsetMs(), workers)];
    const view: Overview = {
      at: isoTime(readings[0]?.now ?? Date.now()),
      queues: readings.map(({ queue }) => queue),
      history,
      timeToStart: percentilesOf(readings.flatMap(({ startMs }) => startMs)),
      runTime: percentilesOf(readings.flatMap(({ runMs }) => runMs)),
      workers,
      store: { ...store, guarantees },
    };
    latest = { view, at: performance.now() };
    return view;
  });

  function addPoint(readings: readonly QueueReading[]): void {
    const now = readings[0]?.now ?? Date.now();
    const submitted = sum(readings.map((reading) => reading.submitted));
    const seconds = before === undefined ? 0 : (now - before.now) / 1_000;
    if (before !== undefined && seconds > 0.5) {
      const point = {
        at: isoTime(now),
        submitted: Math.max(0, submitted - before.submitted) / seconds,
        completed: sum(readings.map(({ queue }) => queue.completedPerSecond)),
        failed: sum(readings.map(({ queue }) => queue.failedPerSecond)),
      };
      history = [...history, point].slice(-HISTORY_MAX);
    }
    if (before === undefined || seconds > 0.5) before = { now, submitted };
  }

  function tick(): void {
    if (listeners.size === 0 && performance.now() - lookedAt > DESERTED_AFTER_MS) {
      rest();
      return;
    }
    sample().then(
      (view) => {
        for (const listener of listeners) listener(view);
      },
      // Whoever listens sees that nothing comes; whoever asks is told why.
      () => {},
    );
  }

  function look(): void {
    lookedAt = performance.now();
    timer ??= setInterval(tick, INTERVAL_MS);
  }

  function rest(): void {
    clearInterval(timer);
    timer = undefined;
    history = [];
    before = undefined;
  }

  return {
    async read() {
      look();
      if (latest !== undefined && performance.now() - latest.at < INTERVAL_MS) return latest.view;
      return await sample();
    },
    onView(listener) {
      look();
      listeners.add(listener);
      return () => {
        lookedAt = performance.now();
        listeners.delete(listener);
      };
    },
    stop: stopOnce(async () => {
      listeners.clear();
      rest();
    }),
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
      ? "no clock is more than 2 s off the store's"
      : `CLOCK_WRONG: more than 2 s off the store's: ${wrong.join(", ")}; it does no work. Remedy: synchronise the clocks (NTP).`;
  return { name: "Clocks agree with the store's", holds: wrong.length === 0, detail };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
