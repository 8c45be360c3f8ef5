import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { createProducer, defineConfig, defineJob } from "holdfast";
import { startWorker } from "holdfast/worker";
import { Cluster, Redis } from "ioredis";
import { z } from "zod";
import { openQueueStores } from "../../../src/core/bullmq/store/queue-store.ts";
import { readWholeBacklog } from "../../../src/desk/overview/read-backlog.ts";
import { readLayouts } from "../../../src/desk/queues/layouts.ts";
import { createCodec } from "../../../src/platform/redis/encryption/codec.ts";
import { until } from "../../../test/support/until.ts";
import { countersOfAll, type Masters } from "./cluster.ts";

/** What a job costs Redis, over all masters. */
export interface Cost {
  readonly masters: number;
  readonly partitions: number;
  /** Microseconds of Redis's processor for a submission, and for its run with one effect. */
  readonly submitUs: number;
  readonly runUs: number;
  /** Microseconds of Redis's processor in a second in which nothing happens, for one producer and one worker. */
  readonly idleUs: number;
  readonly misdirected: number;
}

export interface CostSize {
  readonly jobs: number;
  readonly idleMs: number;
}

/** As many submissions under way as fit in no common command of one queue: each pays for its own. */
const LANES_EACH = 8;
const CONCURRENCY_EACH = 20;

export async function measureCost(masters: Masters, partitions: number, size: CostSize): Promise<Cost> {
  const order = defineJob({
    type: "order",
    payload: z.strictObject({ cents: z.int() }),
    result: z.unknown(),
    retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 1_000 } },
    timeoutMs: 10_000,
    effects: { charge: { timeoutMs: 5_000, inDoubt: "hold" } },
    queue: "orders",
  });
  const handler = order.handler(async ({ effect }) => {
    await effect("charge", async () => {});
    return {};
  });
  const application = defineConfig({
    jobs: [order],
    handlers: async () => [handler],
    queues: { orders: { partitions } },
  });
  const env = {
    REDIS_URL: masters.url,
    HOLDFAST_PREFIX: `scale-${randomUUID()}`,
    HOLDFAST_DURABILITY: "memory",
    HOLDFAST_LOG_LEVEL: "warn",
    HOLDFAST_CONCURRENCY: String(CONCURRENCY_EACH * partitions),
    HOLDFAST_KEEP_COMPLETED: "100",
  };
  const spent = async (work: () => Promise<unknown>) => {
    const before = await countersOfAll(masters.clients);
    const startedAt = performance.now();
    await work();
    const after = await countersOfAll(masters.clients);
    return {
      us: (after.cpuMs - before.cpuMs) * 1_000,
      seconds: (performance.now() - startedAt) / 1_000,
      misdirected: after.misdirected - before.misdirected,
    };
  };
  const producer = await createProducer(application, env);
  const submit = (from: number, count: number) =>
    inLanes(LANES_EACH * partitions, count, (index) =>
      producer.submit(order, { cents: 1 }, { idempotencyKey: `order-${from + index}` }),
    );
  try {
    await submit(0, 500);
    let worker = await startWorker(application, env);
    await untilEmpty(env);
    const idle = await spent(() => sleep(size.idleMs));
    const idleUs = idle.us / idle.seconds;
    await worker.stop();
    const submitted = await spent(() => submit(500, size.jobs));
    worker = await startWorker(application, env);
    const run = await spent(() => untilEmpty(env));
    await worker.stop();
    const perJob = ({ us, seconds }: { us: number; seconds: number }) =>
      Math.max(0, us - idleUs * seconds) / size.jobs;
    return {
      masters: masters.clients.length,
      partitions,
      submitUs: perJob(submitted),
      runUs: perJob(run),
      idleUs,
      misdirected: submitted.misdirected + run.misdirected + idle.misdirected,
    };
  } finally {
    await producer.stop();
  }
}

interface Env {
  readonly REDIS_URL: string;
  readonly HOLDFAST_PREFIX: string;
}

/** Looks seldom, because it costs Redis time, too. */
async function untilEmpty({ REDIS_URL: url, HOLDFAST_PREFIX: prefix }: Env): Promise<void> {
  const client = url.includes(",") ? new Cluster(url.split(",")) : new Redis(url);
  try {
    const layouts = await readLayouts(client, prefix, ["orders"]);
    const partitions = openQueueStores({ client, codec: createCodec([]) }, prefix, layouts).partitionsOf([
      "orders",
    ]);
    await until(
      "all jobs have run",
      async () => {
        const { jobs } = await readWholeBacklog(partitions);
        return jobs.waiting + jobs.active === 0 || (await sleep(200, false));
      },
      120_000,
    );
  } finally {
    client.disconnect();
  }
}

async function inLanes(
  lanes: number,
  count: number,
  work: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) {
      const index = next;
      next += 1;
      await work(index);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
