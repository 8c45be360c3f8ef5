import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import { GUARD_QUEUE } from "../../core/job/internal-queue.ts";
import { storesOfGuard } from "../../guard/places.ts";
import { oneAtATime } from "../../platform/lib/one-at-a-time.ts";
import { serversOf } from "../../platform/redis/connection.ts";
import type { Clock } from "../../platform/redis/fitness/clock.ts";
import { inTime, redisUnavailable } from "../../platform/redis/redis-errors.ts";
import { fullest, measurePing, type RedisMemory, readMemory } from "../../platform/redis/redis-load.ts";
import type { Metrics } from "../../platform/telemetry/metrics.ts";
import { countDoubts, type DoubtCount } from "../doubts/doubts.ts";
import { metricDefinitions } from "../metric-definitions.ts";
import { findReadableQueues } from "./open-queues.ts";
import { type Backlog, readWholeBacklog } from "./read-backlog.ts";

interface Reading {
  readonly pingMs: number;
  readonly memory: RedisMemory;
  /** Of the queues that can be read. */
  readonly backlogs: ReadonlyMap<string, Backlog>;
  /** Of guards. */
  readonly doubts: DoubtCount;
}

/** Reads Redis at each scrape. While Redis is away, it reports only that, within 1.5 s: an old number would look like a new one. */
export function measureRedis(metrics: Metrics, stores: QueueStores, queues: readonly string[]): void {
  const up = metrics.of(metricDefinitions).gauge("holdfast_store_up").labels();
  const report = reporter(metrics, queues);
  const read = oneAtATime(() => readRedis(stores, queues));
  metrics.beforeScrape(async () => {
    const reading = await inTime(read()).catch(() => undefined);
    up.set(reading === undefined ? 0 : 1);
    report(reading);
  });
}

/** Reports how far this process's clock is off Redis's. */
export function measureClock(metrics: Metrics, clock: Pick<Clock, "offsetMs">): void {
  const offset = metrics.of(metricDefinitions).gauge("holdfast_clock_offset_seconds").labels();
  metrics.beforeScrape(() => offset.set(clock.offsetMs() / 1_000));
}

function reporter(metrics: Metrics, queues: readonly string[]): (reading: Reading | undefined) => void {
  const { gauge } = metrics.of(metricDefinitions);
  const memory = gauge("holdfast_store_memory_bytes");
  const accepted = gauge("holdfast_store_memory_accepted_bytes");
  const ping = gauge("holdfast_store_ping_seconds");
  const jobs = gauge("holdfast_jobs");
  const paused = gauge("holdfast_queue_paused");
  const atLimit = gauge("holdfast_queue_at_limit");
  const ramping = gauge("holdfast_queue_ramping");
  const slotOpen = gauge("holdfast_queue_slot_open");
  const waitingAge = gauge("holdfast_oldest_waiting_age_seconds");
  const workers = gauge("holdfast_workers");
  const quiet = gauge("holdfast_workers_quiet");
  const doubts = gauge("holdfast_effects_in_doubt");
  const doubtAge = gauge("holdfast_effects_in_doubt_oldest_age_seconds");
  const speed = [paused, atLimit, ramping, slotOpen];
  const ofQueues = [jobs, ...speed, waitingAge, workers, quiet, doubts, doubtAge];
  return (reading) => {
    // `reset` would set them to 0: they have no labels.
    for (const each of [memory, accepted, ping]) each.remove();
    for (const each of ofQueues) each.reset();
    if (reading === undefined) return;
    const { used, acceptsUntil } = reading.memory;
    memory.labels().set(used);
    if (acceptsUntil !== undefined) accepted.labels().set(acceptsUntil);
    ping.labels().set(reading.pingMs / 1_000);
    doubts.labels(GUARD_QUEUE).set(reading.doubts.count);
    doubtAge.labels(GUARD_QUEUE).set(ageOf(reading.doubts) / 1_000);
    for (const queue of queues) slotOpen.labels(queue).set(Number(!reading.backlogs.has(queue)));
    for (const [queue, backlog] of reading.backlogs) {
      for (const [state, count] of Object.entries(backlog.jobs)) jobs.labels(queue, state).set(count);
      paused.labels(queue).set(Number(backlog.isPaused));
      atLimit.labels(queue).set(Number(backlog.isAtLimit));
      ramping.labels(queue).set(Number(backlog.isRamping));
      waitingAge.labels(queue).set(backlog.oldestWaitingMs / 1_000);
      workers.labels(queue).set(backlog.workers);
      quiet.labels(queue).set(backlog.quietWorkers);
      doubts.labels(queue).set(backlog.doubts);
      doubtAge.labels(queue).set(backlog.oldestDoubtMs / 1_000);
    }
  };
}

function ageOf({ oldestAt }: DoubtCount): number {
  return oldestAt === undefined ? 0 : Math.max(0, Date.now() - oldestAt);
}

async function readRedis(stores: QueueStores, queues: readonly string[]): Promise<Reading> {
  const { client } = stores;
  // A retrying connection would keep the command until Redis is back.
  if (client.status !== "ready") throw redisUnavailable();
  const readable = await findReadableQueues(stores, queues);
  const reads = readable.map(
    async (queue) => [queue, await readWholeBacklog(stores.partitionsOf([queue]))] as const,
  );
  const memories = Promise.all(serversOf(client).map(readMemory));
  const [pingMs, memory, doubts, ...backlogs] = await Promise.all([
    measurePing(client),
    memories,
    countDoubts(storesOfGuard(stores)),
    ...reads,
  ]);
  return { pingMs, memory: fullest(memory), doubts, backlogs: new Map(backlogs) };
}
