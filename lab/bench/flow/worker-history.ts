import { randomUUID } from "node:crypto";
import { Queue, Worker } from "bullmq";
import { createProducer, defineConfig, defineJob } from "holdfast";
import { Redis } from "ioredis";
import { z } from "zod";
import { HistoryCounts } from "../../../src/core/history/history-counts.ts";
import { startWorker } from "../../../src/worker.ts";

/** A worker that counts against the same one that does not. */
export interface WorkerHistoryCost {
  /** Jobs a second, the median of the rounds. */
  readonly counting: number;
  readonly silent: number;
  /** The median of the ratios of rounds that follow each other. */
  readonly ratio: number;
  /** Microseconds of the process for a job, of the quietest round. */
  readonly countingUs: number;
  readonly silentUs: number;
}

export interface BullmqMetricsCost {
  /** Microseconds of the processor that Redis's thread uses for a job, of the quietest round. */
  readonly plainUs: number;
  readonly meteredUs: number;
}

export interface DrainSize {
  readonly jobs: number;
  readonly rounds: number;
}

interface Drained {
  readonly perSecond: number;
  readonly cpuUs: number;
}

const CONCURRENCY = 50;
/** Jobs that are not timed. */
const WARM_UP = 0.2;
const DATA_POINTS = 14 * 1_440;

const job = defineJob({
  type: "nothing",
  payload: z.strictObject({ number: z.int() }),
  result: z.unknown(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 10_000,
});

/** With the methods that count, and without them: all else is the same, the write every five seconds included. */
export async function measureWorkerHistory(redisUrl: string, size: DrainSize): Promise<WorkerHistoryCost> {
  const { addAttempt } = HistoryCounts.prototype;
  const drainWith = async (isCounting: boolean) => {
    HistoryCounts.prototype.addAttempt = isCounting ? addAttempt : () => {};
    return await drainHoldfast(redisUrl, size.jobs);
  };
  const [counting, silent] = [[] as Drained[], [] as Drained[]];
  try {
    await drainWith(true);
    for (let round = 0; round < size.rounds; round += 1) {
      // Whatever changes with time falls on both.
      const isFirst = round % 2 === 0;
      const first = await drainWith(isFirst);
      const second = await drainWith(!isFirst);
      counting.push(isFirst ? first : second);
      silent.push(isFirst ? second : first);
    }
  } finally {
    HistoryCounts.prototype.addAttempt = addAttempt;
  }
  return {
    counting: median(counting.map(({ perSecond }) => perSecond)),
    silent: median(silent.map(({ perSecond }) => perSecond)),
    ratio: median(counting.map(({ perSecond }, round) => perSecond / (silent[round]?.perSecond ?? 0))),
    countingUs: Math.min(...counting.map(({ cpuUs }) => cpuUs)),
    silentUs: Math.min(...silent.map(({ cpuUs }) => cpuUs)),
  };
}

/** Runs jobs that do nothing, from a full queue. */
async function drainHoldfast(redisUrl: string, jobs: number): Promise<Drained> {
  const env = {
    REDIS_URL: redisUrl,
    HOLDFAST_PREFIX: `flow-${randomUUID()}`,
    HOLDFAST_DURABILITY: "memory",
    HOLDFAST_LOG_LEVEL: "warn",
    HOLDFAST_CONCURRENCY: String(CONCURRENCY),
    HOLDFAST_KEEP_COMPLETED: "1",
  };
  const drained = stopwatch(jobs);
  const handler = job.handler(async () => drained.count());
  const application = defineConfig({ jobs: [job], handlers: async () => [handler] });
  const producer = await createProducer(application, env);
  const submissions = Array.from({ length: jobs }, (_, number) => ({
    payload: { number },
    idempotencyKey: `job-${number}`,
  }));
  for (const result of await producer.submitMany(job, submissions)) if (result instanceof Error) throw result;
  await producer.stop();
  const worker = await startWorker(application, env);
  const measured = await drained.measured;
  await worker.stop();
  return measured;
}

/** Between the end of the warm-up and the last job. */
function stopwatch(jobs: number) {
  let count = 0;
  let from = { at: 0, cpu: process.cpuUsage() };
  let end: (drained: Drained) => void;
  const measured = new Promise<Drained>((resolve) => {
    end = resolve;
  });
  const warmUp = Math.floor(jobs * WARM_UP);
  return {
    measured,
    count() {
      count += 1;
      if (count === warmUp) from = { at: performance.now(), cpu: process.cpuUsage() };
      if (count !== jobs) return;
      const { user, system } = process.cpuUsage(from.cpu);
      const perSecond = (jobs - warmUp) / ((performance.now() - from.at) / 1_000);
      end({ perSecond, cpuUs: (user + system) / (jobs - warmUp) });
    },
  };
}

/** BullMQ's own worker with and without its metrics. */
export async function measureBullmqMetrics(redisUrl: string, size: DrainSize): Promise<BullmqMetricsCost> {
  const [plain, metered] = [[] as number[], [] as number[]];
  await drainBullmq(redisUrl, size.jobs, true);
  for (let round = 0; round < size.rounds; round += 1) {
    plain.push(await drainBullmq(redisUrl, size.jobs, false));
    metered.push(await drainBullmq(redisUrl, size.jobs, true));
  }
  return { plainUs: Math.min(...plain), meteredUs: Math.min(...metered) };
}

/** @returns microseconds of the processor that Redis's thread uses for a job */
async function drainBullmq(redisUrl: string, jobs: number, isMetered: boolean): Promise<number> {
  const client = new Redis(redisUrl, { maxRetriesPerRequest: null });
  const name = `bare-${randomUUID()}`;
  const queue = new Queue(name, { connection: client });
  await queue.addBulk(Array.from({ length: jobs }, (_, number) => ({ name: "nothing", data: { number } })));
  const before = await threadUs(client);
  const drained = stopwatch(jobs);
  const worker = new Worker(name, async () => drained.count(), {
    connection: client,
    concurrency: CONCURRENCY,
    removeOnComplete: { count: 1 },
    ...(isMetered && { metrics: { maxDataPoints: DATA_POINTS } }),
  });
  try {
    await drained.measured;
    await worker.close();
    return ((await threadUs(client)) - before) / jobs;
  } finally {
    await queue.obliterate({ force: true });
    await queue.close();
    client.disconnect();
  }
}

async function threadUs(client: Redis): Promise<number> {
  const found = await client.info("cpu");
  const seconds = (name: string) =>
    Number(new RegExp(`used_cpu_${name}_main_thread:([\\d.]+)`).exec(found)?.[1]);
  return (seconds("user") + seconds("sys")) * 1e6;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? 0)) / 2;
}
