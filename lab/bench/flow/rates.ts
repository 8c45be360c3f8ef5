import { randomUUID } from "node:crypto";
import { Job, type JobJson, Worker } from "bullmq";
import { createProducer, defineConfig, defineJob, type JobContract } from "holdfast";
import { Redis } from "ioredis";
import { z } from "zod";
import { withClaimPoint } from "../../../src/core/bullmq/claim/claim-scripts.ts";
import { bullmqQueueName } from "../../../src/core/bullmq/store/queue-keys.ts";
import { startWorker } from "../../../src/worker.ts";

/** Of the quietest round. */
export interface RateCost {
  /** Microseconds of the processor that Redis's thread uses to submit a job and to run it. */
  readonly us: number;
  /** Jobs that a worker ran in a second. */
  readonly perSecond: number;
}

export interface RateCosts {
  /** A type without a rate, by BullMQ's worker: without the look at each job as it is claimed, and with it. */
  readonly bare: RateCost;
  readonly looking: RateCost;
  /** By Holdfast's worker: without a rate, with one of a single key that is never reached, and of many keys. */
  readonly plain: RateCost;
  readonly oneKey: RateCost;
  readonly manyKeys: RateCost;
  /** The same where half of the jobs are held. */
  readonly oneKeyHeld: RateCost;
  readonly manyKeysHeld: RateCost;
}

export interface RateSize {
  readonly jobs: number;
  readonly rounds: number;
}

const CONCURRENCY = 50;
const TOKEN = "bench";
/** Of a rate that holds half of the jobs, for each job: longer than the other half runs, and little longer, since an idle worker costs, too. */
const WINDOW_MS_PER_JOB = 0.15;
const WINDOW_MIN_MS = 150;

const common = {
  payload: z.strictObject({ key: z.string() }),
  result: z.unknown(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 60_000,
} as const;
const plain = defineJob({ ...common, type: "plain" });
const ratedJob = (limit: string) =>
  defineJob({ ...common, type: "rated", rate: { key: ({ key }) => key, limit } });
type BenchJob = typeof plain | ReturnType<typeof ratedJob>;

export async function measureRates(redisUrl: string, { jobs, rounds }: RateSize): Promise<RateCosts> {
  const keys = jobs / 2;
  // Each submission takes a token at once, and all are submitted before the first runs.
  const never = ratedJob(`${jobs}/50ms`);
  const windowMs = WINDOW_MIN_MS + jobs * WINDOW_MS_PER_JOB;
  const runs: Record<keyof RateCosts, () => Promise<RateCost>> = {
    bare: () => runBullmq(redisUrl, jobs, false),
    looking: () => runBullmq(redisUrl, jobs, true),
    plain: () => runHoldfast(redisUrl, plain, jobs, 1),
    oneKey: () => runHoldfast(redisUrl, never, jobs, 1),
    manyKeys: () => runHoldfast(redisUrl, never, jobs, keys),
    oneKeyHeld: () => runHoldfast(redisUrl, ratedJob(`${keys}/${windowMs}ms`), jobs, 1),
    manyKeysHeld: () => runHoldfast(redisUrl, ratedJob(`1/${windowMs}ms`), jobs, keys),
  };
  const costs: Partial<Record<keyof RateCosts, RateCost>> = {};
  const names = Object.keys(runs) as (keyof RateCosts)[];
  for (const name of names) await runs[name]();
  // Whatever changes with time falls on all.
  for (let round = 0; round < rounds; round += 1)
    for (const name of names) {
      const { us, perSecond } = await runs[name]();
      const best = costs[name] ?? { us, perSecond };
      costs[name] = { us: Math.min(best.us, us), perSecond: Math.max(best.perSecond, perSecond) };
    }
  return costs as Record<keyof RateCosts, RateCost>;
}

const environment = (redisUrl: string) => ({
  REDIS_URL: redisUrl,
  HOLDFAST_PREFIX: `flow-${randomUUID()}`,
  HOLDFAST_DURABILITY: "memory",
  HOLDFAST_LOG_LEVEL: "warn",
  HOLDFAST_CONCURRENCY: String(CONCURRENCY),
  HOLDFAST_KEEP_COMPLETED: "1",
});

/** Submits jobs and runs them, and measures both. */
async function runHoldfast(redisUrl: string, job: BenchJob, jobs: number, keys: number): Promise<RateCost> {
  const env = environment(redisUrl);
  return await perJob(redisUrl, jobs, async () => {
    const ended = countdown(jobs);
    await submitAll(env, job, jobs, keys);
    const handler = job.handler(async () => ended.count());
    const begun = performance.now();
    const worker = await startWorker(applicationOf(job, handler), env);
    await ended.all;
    const ms = performance.now() - begun;
    await worker.stop();
    return ms;
  });
}

/** Claims and completes jobs one after another, as a worker of BullMQ's does that is busy. */
async function runBullmq(redisUrl: string, jobs: number, isLooking: boolean): Promise<RateCost> {
  const env = environment(redisUrl);
  const connection = new Redis(redisUrl, { maxRetriesPerRequest: null });
  if (isLooking) lookAtClaims(connection);
  const worker = new Worker(bullmqQueueName("default"), null, {
    connection,
    prefix: env.HOLDFAST_PREFIX,
    autorun: false,
    removeOnComplete: { count: 1 },
  });
  try {
    return await perJob(redisUrl, jobs, async () => {
      await submitAll(env, plain, jobs, 1);
      const begun = performance.now();
      const first = await worker.getNextJob(TOKEN);
      for (let job: Job | undefined = first; job; ) {
        const fetched: readonly unknown[] = (await job.moveToCompleted({}, TOKEN)) ?? [];
        const [next, id] = fetched as [JobJson?, string?];
        job = next ? Job.fromJSON(worker, next, id) : undefined;
      }
      return performance.now() - begun;
    });
  } finally {
    await worker.close();
    connection.disconnect();
  }
}

function lookAtClaims(connection: Redis): void {
  const define = connection.defineCommand.bind(connection);
  connection.defineCommand = (name, definition) => {
    const [script = ""] = name.split(":");
    define(name, { ...definition, lua: withClaimPoint(script, definition.lua) });
  };
}

async function submitAll(env: NodeJS.ProcessEnv, job: BenchJob, jobs: number, keys: number): Promise<void> {
  const producer = await createProducer(applicationOf(job), env);
  const submissions = Array.from({ length: jobs }, (_, index) => ({
    payload: { key: `key-${index % keys}` },
    idempotencyKey: `job-${index}`,
  }));
  try {
    for (const result of await producer.submitMany(job, submissions))
      if (result instanceof Error) throw result;
  } finally {
    await producer.stop();
  }
}

function applicationOf(job: JobContract, ...handlers: readonly ReturnType<BenchJob["handler"]>[]) {
  return defineConfig({ jobs: [job], handlers: async () => handlers });
}

function countdown(jobs: number) {
  let left = jobs;
  let end: () => void;
  const all = new Promise<void>((resolve) => {
    end = resolve;
  });
  return {
    all,
    count() {
      left -= 1;
      if (left === 0) end();
      return {};
    },
  };
}

/** @param run submits jobs and runs them, and resolves to how long it ran them, in milliseconds */
async function perJob(redisUrl: string, jobs: number, run: () => Promise<number>): Promise<RateCost> {
  const client = new Redis(redisUrl);
  try {
    const before = await threadUs(client);
    const ms = await run();
    return { us: ((await threadUs(client)) - before) / jobs, perSecond: (jobs / ms) * 1_000 };
  } finally {
    await client.flushall();
    client.disconnect();
  }
}

async function threadUs(client: Redis): Promise<number> {
  const found = await client.info("cpu");
  const seconds = (name: string) =>
    Number(new RegExp(`used_cpu_${name}_main_thread:([\\d.]+)`).exec(found)?.[1]);
  return (seconds("user") + seconds("sys")) * 1e6;
}
