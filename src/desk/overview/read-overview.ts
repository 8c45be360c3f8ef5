import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import type { Application } from "../../core/job/application.ts";
import { INTERNAL_QUEUE } from "../../core/job/internal-queue.ts";
import { storesOfGuard } from "../../guard/places.ts";
import type { Settings } from "../../platform/config/settings.ts";
import { isoOrNull, isoTime } from "../../platform/lib/iso-time.ts";
import { CLOCK_TOLERANCE_MS, type Clock } from "../../platform/redis/fitness/clock.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";
import { readActBacklog, UNREADABLE_ACTS } from "../acts/act-backlog.ts";
import { countDoubts } from "../doubts/doubts.ts";
import { type FailureReader, openFailureReader } from "../jobs/failure-groups.ts";
import { openOutboxSight } from "../outbox/read-outbox.ts";
import { findReadableQueues } from "./open-queues.ts";
import type { Overview, RedisOverview, SamplePoint, WorkerOverview } from "./overview.ts";
import { percentilesOf, type QueueReading, readQueue, sinceOf } from "./queue-overview.ts";
import { openProblemReader } from "./read-problems.ts";
import { openRedisReader } from "./redis-overview.ts";
import { openTypeReader } from "./type-overview.ts";

export interface OverviewOptions {
  readonly stores: QueueStores;
  readonly application: Application;
  readonly settings: Settings;
  readonly clock: Pick<Clock, "offsetMs">;
  /** @default one of its own */
  readonly failures?: FailureReader;
}

export type OverviewReader = ReturnType<typeof openOverviewReader>;

const HISTORY_MAX = 300;
/** Rates over a shorter time are mostly noise. */
const SHORTEST_STEP_S = 0.5;

/** Reads overviews. Each one adds a point to the history. */
export function openOverviewReader(options: OverviewOptions) {
  const { stores, application, settings, clock, failures = openFailureReader() } = options;
  const { queues } = application;
  const readRedis = openRedisReader(stores.client, settings);
  const readProblems = openProblemReader(application, stores, settings);
  const readTypes = openTypeReader(application.jobs);
  const hasOutbox = openOutboxSight(settings.DATABASE_URL);
  const history = createHistory();
  return {
    /** @throws HoldfastError `STORE_UNAVAILABLE` */
    async read(): Promise<Overview> {
      const readable = await inTime(findReadableQueues(stores, [...queues, INTERNAL_QUEUE]));
      const shown = queues.filter((queue) => readable.includes(queue));
      const reads = shown.map((queue) => readQueue(stores.partitionsOf([queue]), failures.count));
      const [problems, redis, guarded, acts, ...readings] = await inTime(
        Promise.all([
          readProblems(),
          readRedis(),
          countDoubts(storesOfGuard(stores)),
          readable.includes(INTERNAL_QUEUE) ? readActBacklog(stores) : UNREADABLE_ACTS,
          ...reads,
        ]),
      );
      const now = readings[0]?.now ?? Date.now();
      const types = await inTime(readTypes(stores.partitionsOf(shown), now));
      const workers = readings.flatMap((reading) => reading.workers);
      const guarantees = [...redis.guarantees, clockGuarantee(clock.offsetMs(), workers)];
      return {
        at: isoTime(now),
        problems,
        types,
        queues: readings.map(({ queue }) => queue),
        guarded: { inDoubt: guarded.count, oldestDoubtSince: isoOrNull(guarded.oldestAt) },
        acts: {
          running: acts.running,
          waiting: acts.waiting,
          oldestWaitingSince: sinceOf(acts.oldestWaitingMs, now),
        },
        history: history.add(now, readings),
        timeToStart: percentilesOf(readings.flatMap(({ startMs }) => startMs)),
        runTime: percentilesOf(readings.flatMap(({ runMs }) => runMs)),
        workers,
        store: { ...redis, guarantees },
        hasOutbox: hasOutbox(),
      };
    },
    clearHistory: history.clear,
  };
}

/** Completed and failed jobs are counted over the same time; beside them a rate over two seconds would be all spikes. */
const RATE_WINDOW_MS = 10_000;

interface Sample {
  readonly now: number;
  readonly submitted: number;
  /** How many queues were read. */
  readonly queues: number;
}

function createHistory() {
  let points: SamplePoint[] = [];
  let samples: Sample[] = [];
  return {
    add(now: number, readings: readonly QueueReading[]): SamplePoint[] {
      const sample = {
        now,
        submitted: sum(readings.map((reading) => reading.submitted)),
        queues: readings.length,
      };
      const last = samples.at(-1);
      if (last !== undefined && now - last.now <= SHORTEST_STEP_S * 1_000) return points;
      // A queue that could not be read for a while would look like a burst.
      const alike = samples.filter(({ queues }) => queues === sample.queues);
      samples = [...alike.filter((known) => now - known.now <= RATE_WINDOW_MS), sample];
      if (samples.length > 1) {
        const point = {
          at: isoTime(now),
          submitted: submittedPerSecond(samples, sample),
          completed: sum(readings.map(({ queue }) => queue.completedPerSecond)),
          failed: sum(readings.map(({ queue }) => queue.failedPerSecond)),
        };
        points = [...points, point].slice(-HISTORY_MAX);
      }
      return points;
    },
    clear() {
      points = [];
      samples = [];
    },
  };
}

function submittedPerSecond([first]: readonly Sample[], latest: Sample): number {
  if (first === undefined) return 0;
  return Math.max(0, latest.submitted - first.submitted) / ((latest.now - first.now) / 1_000);
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
