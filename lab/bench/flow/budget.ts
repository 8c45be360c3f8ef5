import { randomUUID } from "node:crypto";
import { defineConfig, defineJob } from "holdfast";
import { Redis } from "ioredis";
import { z } from "zod";
import { queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { createProducer } from "../../../src/desk/create-producer.ts";
import { startWorker } from "../../../src/worker.ts";
import { keptBytes } from "../../../test/support/kept-bytes.ts";
import { until } from "../../../test/support/until.ts";

/** Microseconds of Redis's processor for a job, of the quietest round. */
export interface BudgetCost {
  /** BullMQ removes the oldest. */
  readonly plainUs: number;
  /** A budget does, of about as many jobs. */
  readonly budgetUs: number;
}

export interface BudgetLevel {
  readonly atMs: number;
  readonly ended: number;
  /** What Redis uses beyond what it used empty. */
  readonly usedBytes: number;
  readonly estimate: number;
}

/** What becomes of many more ended jobs than a budget has room for. */
export interface BudgetRun {
  readonly levels: readonly BudgetLevel[];
  readonly ended: number;
  readonly kept: { readonly completed: number; readonly failed: number };
  /** How many of the jobs that must stay are gone. */
  readonly wronged: number;
  /** How many of the keys of removed jobs that were tried again answered with the first job's id. */
  readonly remembered: number;
  readonly tried: number;
  readonly estimate: number;
  /** By `MEMORY USAGE` of everything that goes with the kept jobs. */
  readonly reported: number;
  /** Of Redis itself, without idempotency keys, ledgers and the stream of events. */
  readonly used: number;
}

type End = "complete" | "fail" | "doubt";

const job = defineJob({
  type: "sized",
  payload: z.strictObject({ end: z.enum(["complete", "fail", "doubt"]), text: z.string() }),
  result: z.unknown(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 10_000,
  effects: { act: { timeoutMs: 1_000, inDoubt: "hold" } },
});

const CONCURRENCY = 50;
const TOGETHER = 100;
const TRIED = 100;
/** One job in so many. */
const FAILING = 500;

async function open(redisUrl: string, variables: Readonly<Record<string, string>>, hasEffect: boolean) {
  const env = {
    REDIS_URL: redisUrl,
    HOLDFAST_PREFIX: `flow-${randomUUID()}`,
    HOLDFAST_DURABILITY: "memory",
    HOLDFAST_LOG_LEVEL: "silent",
    HOLDFAST_CONCURRENCY: String(CONCURRENCY),
    ...variables,
  };
  const handler = job.handler(async ({ payload: { end }, effect }) => {
    if (hasEffect)
      await effect("act", async () => {
        if (end === "doubt") throw Object.assign(new Error("hang up"), { code: "ECONNRESET" });
      });
    if (end === "fail") throw new Error("on request");
  });
  const application = defineConfig({ jobs: [job], handlers: async () => [handler] });
  const client = new Redis(redisUrl);
  const producer = await createProducer(application, env);
  const keys = queueKeys(env.HOLDFAST_PREFIX, "default");
  const submission = (number: number, textBytes: number) => ({
    payload: { end: endOf(number), text: "x".repeat(textBytes) },
    idempotencyKey: `job-${number}`,
  });
  return { env, application, client, producer, keys, submission, work: () => startWorker(application, env) };
}

type Open = Awaited<ReturnType<typeof open>>;

function endOf(number: number): End {
  if (number % FAILING === 1) return "fail";
  return number % FAILING === 2 ? "doubt" : "complete";
}

async function submitAll({ producer, submission }: Open, jobs: number, textBytes: number): Promise<string[]> {
  const ids: string[] = [];
  for (let at = 0; at < jobs; at += TOGETHER) {
    const some = Array.from({ length: Math.min(TOGETHER, jobs - at) }, (_, index) =>
      submission(at + index, textBytes),
    );
    for (const result of await producer.submitMany(job, some)) {
      if (result instanceof Error) throw result;
      ids.push(result.id);
    }
  }
  return ids;
}

async function estimateOf({ client, keys }: Open): Promise<number> {
  const sums = Object.entries(await client.hgetall(`${keys.start}budget`));
  return sums.filter(([name]) => name.includes(":")).reduce((total, [, bytes]) => total + Number(bytes), 0);
}

/** @param jobs of 1,000 bytes each, of which about a tenth is kept */
export async function measureBudgetCost(
  redisUrl: string,
  { jobs, rounds }: { readonly jobs: number; readonly rounds: number },
): Promise<BudgetCost> {
  const tenth = Math.round(jobs / 10);
  const plain = { HOLDFAST_KEEP_COMPLETED: String(tenth) };
  const budget = { HOLDFAST_KEEP_COMPLETED: "10000000", HOLDFAST_KEEP_BYTES: String(tenth * 2_400) };
  const [plainUs, budgetUs] = [[] as number[], [] as number[]];
  await drain(redisUrl, jobs, budget);
  for (let round = 0; round < rounds; round += 1) {
    plainUs.push(await drain(redisUrl, jobs, plain));
    budgetUs.push(await drain(redisUrl, jobs, budget));
  }
  return { plainUs: Math.min(...plainUs), budgetUs: Math.min(...budgetUs) };
}

/** Until no more than a fifth is left. @returns microseconds of Redis's processor for a job */
async function drain(
  redisUrl: string,
  jobs: number,
  variables: Readonly<Record<string, string>>,
): Promise<number> {
  const opened = await open(redisUrl, variables, false);
  const { client, keys, producer, work } = opened;
  try {
    await submitAll(opened, jobs, 1_000);
    const before = await threadUs(client);
    const worker = await work();
    await until("all have ended, and the oldest are gone", async () => {
      const [waiting, active, kept] = await Promise.all([
        client.llen(keys.waiting),
        client.llen(keys.active),
        client.zcard(keys.completed),
      ]);
      return waiting + active === 0 && kept < jobs / 5;
    });
    const us = (await threadUs(client)) - before;
    await worker.stop();
    return us / jobs;
  } finally {
    await producer.stop();
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

/** Ends jobs of 20,000 bytes each, submitted while a worker runs them. */
export async function measureBudgetRun(
  redisUrl: string,
  bytes: number,
  keepBytes: number,
): Promise<BudgetRun> {
  const jobs = Math.round(bytes / 22_000);
  const variables = { HOLDFAST_KEEP_COMPLETED: "10000000", HOLDFAST_KEEP_BYTES: String(keepBytes) };
  const opened = await open(redisUrl, variables, true);
  const { client, keys, producer, work } = opened;
  const empty = await usedBytes(client);
  const worker = await work();
  const levels: BudgetLevel[] = [];
  const begun = performance.now();
  const timer = setInterval(async () => {
    const [used, estimate, waiting] = await Promise.all([
      usedBytes(client),
      estimateOf(opened),
      client.llen(keys.waiting),
    ]);
    const ended = submitted - waiting;
    levels.push({ atMs: performance.now() - begun, ended, usedBytes: used - empty, estimate });
  }, 1_000);
  let submitted = 0;
  try {
    const ids: string[] = [];
    for (; submitted < jobs; submitted += TOGETHER) {
      // What waits is no ended job's.
      await until("few wait", async () => (await client.llen(keys.waiting)) < TOGETHER);
      const some = Array.from({ length: TOGETHER }, (_, index) =>
        opened.submission(submitted + index, 20_000),
      );
      for (const result of await producer.submitMany(job, some)) {
        if (result instanceof Error) throw result;
        ids.push(result.id);
      }
    }
    await until("they are within the budget", async () => {
      const open = (await client.llen(keys.waiting)) + (await client.llen(keys.active));
      const last = Number(await client.hget(`${keys.start}budget`, "completed"));
      const [, latest] = await client.zrange(keys.completed, "-1", "-1", "WITHSCORES");
      return open === 0 && last === Number(latest) && (await estimateOf(opened)) <= keepBytes;
    });
    return { levels, ended: ids.length, ...(await outcomeOf(opened, ids, empty)) };
  } finally {
    clearInterval(timer);
    await worker.stop();
    await producer.stop();
    await client.flushall();
    client.disconnect();
  }
}

async function outcomeOf(opened: Open, ids: readonly string[], empty: number) {
  const { client, keys, producer, env, submission } = opened;
  const isGone = async (id: string) => (await client.exists(keys.job(id))) === 0;
  const gone = await Promise.all(ids.map(isGone));
  const removed = [...gone.keys()].filter((number) => gone[number]).slice(0, TRIED);
  const again = await producer.submitMany(
    job,
    removed.map((number) => submission(number, 20_000)),
  );
  const remembered = again.filter(
    (found, at) => !(found instanceof Error) && found.id === ids[removed[at] ?? 0],
  );
  const reported = await keptBytes(client, env.HOLDFAST_PREFIX, ["default"]);
  const others = await bytesOfOthers(client, keys.start);
  return {
    kept: { completed: await client.zcard(keys.completed), failed: await client.zcard(keys.failed) },
    wronged: [...gone.keys()].filter((number) => gone[number] && endOf(number) !== "complete").length,
    remembered: remembered.length,
    tried: removed.length,
    estimate: await estimateOf(opened),
    reported,
    used: (await usedBytes(client)) - empty - others,
  };
}

/** Idempotency keys, ledgers and events, which are not a budget's. */
async function bytesOfOthers(client: Redis, start: string): Promise<number> {
  let bytes = 0;
  for (const match of ["de:*", "ledger:*", "ledgers*", "doubts*", "events"])
    for await (const some of client.scanStream({ match: `${start}${match}`, count: 1_000 }) as AsyncIterable<
      string[]
    >) {
      const pipeline = client.pipeline();
      for (const key of some) pipeline.memory("USAGE", key, "SAMPLES", 0);
      for (const [, usage] of (await pipeline.exec()) ?? []) bytes += Number(usage ?? 0);
    }
  return bytes;
}

/** Without buffers of connections and of the log, and scripts. */
async function usedBytes(client: Redis): Promise<number> {
  const found = await client.info("memory");
  const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, "m").exec(found)?.[1] ?? 0);
  return (
    field("used_memory") -
    field("mem_clients_normal") -
    field("mem_aof_buffer") -
    field("used_memory_scripts")
  );
}
