import { type ChildProcess, fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { createProducer } from "holdfast";
import { Redis } from "ioredis";
import { queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { until } from "../../../test/support/until.ts";
import { keyedApplication, keyedJob, plainJob, type Run } from "./keyed-jobs.ts";

/** What it costs to run jobs one at a time for each key. */
export interface KeyedCost {
  /** Jobs a second without keys, and with. */
  readonly plain: number;
  readonly keyed: number;
  readonly ratio: number;
  /** Jobs that began before the one before them of the same key had ended, or in another order. */
  readonly early: number;
}

export interface KeyedSize {
  readonly jobs: number;
  readonly keys: number;
  readonly workers: number;
  /** The quickest of so many counts, of each. */
  readonly rounds: number;
}

export async function measureKeyed(redisUrl: string, size: KeyedSize): Promise<KeyedCost> {
  const [plain, keyed] = [[] as number[], [] as number[]];
  let early = 0;
  for (let round = 0; round < size.rounds; round += 1) {
    plain.push(rateOf(await runAll(redisUrl, plainJob, size)));
    const runs = await runAll(redisUrl, keyedJob, size);
    keyed.push(rateOf(runs));
    early += countEarly(runs);
  }
  const best = { plain: Math.max(...plain), keyed: Math.max(...keyed) };
  return { ...best, ratio: best.keyed / best.plain, early };
}

/** Submits all jobs, then lets the workers run them. */
async function runAll(
  redisUrl: string,
  job: typeof plainJob | typeof keyedJob,
  size: KeyedSize,
): Promise<Run[]> {
  const env = {
    REDIS_URL: redisUrl,
    HOLDFAST_PREFIX: `flow-${randomUUID()}`,
    HOLDFAST_DURABILITY: "memory",
    HOLDFAST_LOG_LEVEL: "warn",
    HOLDFAST_CONCURRENCY: "20",
    HOLDFAST_KEEP_COMPLETED: "1",
  };
  await submitAll(env, job, size);
  const workers = await Promise.all(Array.from({ length: size.workers }, () => startChild(env)));
  await untilDone(env);
  return (await Promise.all(workers.map(reportOf))).flat();
}

type Variables = Readonly<Record<string, string>>;

async function submitAll(
  env: Variables,
  job: typeof plainJob | typeof keyedJob,
  { jobs, keys }: KeyedSize,
): Promise<void> {
  const producer = await createProducer(keyedApplication(), env);
  const submissions = Array.from({ length: jobs }, (_, index) => ({
    payload: { key: index % keys, place: Math.floor(index / keys) },
    idempotencyKey: `job-${index}`,
  }));
  try {
    for (const result of await producer.submitMany(job, submissions))
      if (result instanceof Error) throw result;
  } finally {
    await producer.stop();
  }
}

async function startChild(env: Variables): Promise<ChildProcess> {
  const file = fileURLToPath(new URL("keyed-worker.ts", import.meta.url));
  const child = fork(file, { env: { ...process.env, ...env }, execArgv: ["--import", "tsx"] });
  await messageOf(child);
  return child;
}

/** The next message of a worker that lives. */
async function messageOf(child: ChildProcess): Promise<unknown> {
  const over = new AbortController();
  const ended = once(child, "exit", { signal: over.signal }).then(() => {
    throw new Error("A worker ended early");
  });
  try {
    const [message] = (await Promise.race([
      once(child, "message", { signal: over.signal }),
      ended,
    ])) as unknown[];
    return message;
  } finally {
    ended.catch(() => {});
    over.abort();
  }
}

async function untilDone({ REDIS_URL = "", HOLDFAST_PREFIX = "" }: Variables): Promise<void> {
  const client = new Redis(REDIS_URL);
  const { waiting, active, held } = queueKeys(HOLDFAST_PREFIX, "default");
  const isDone = async () => {
    const left = await Promise.all([client.llen(waiting), client.llen(active), client.zcard(held)]);
    return left.every((count) => count === 0);
  };
  try {
    await until("all jobs have run", isDone, 600_000);
  } finally {
    client.disconnect();
  }
}

async function reportOf(child: ChildProcess): Promise<readonly Run[]> {
  const reported = messageOf(child);
  child.send("report");
  return (await reported) as readonly Run[];
}

/** From the first beginning to the last end, in jobs a second. */
function rateOf(runs: readonly Run[]): number {
  let [first, last] = [Number.POSITIVE_INFINITY, 0];
  for (const [, , began, ended] of runs) {
    first = Math.min(first, began);
    last = Math.max(last, ended);
  }
  return (runs.length * 1e9) / (last - first);
}

function countEarly(runs: readonly Run[]): number {
  const sorted = [...runs].sort(([keyA, , a], [keyB, , b]) => keyA - keyB || a - b);
  return sorted.filter(([key, place, began], index) => {
    const before = sorted[index - 1];
    return before !== undefined && before[0] === key && (began < before[3] || place !== before[1] + 1);
  }).length;
}
