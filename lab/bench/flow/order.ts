import { randomUUID } from "node:crypto";
import { createProducer, defineConfig, defineJob } from "holdfast";
import { startWorker } from "holdfast/worker";
import { z } from "zod";
import { latch } from "../../../test/support/latch.ts";
import { until } from "../../../test/support/until.ts";

export interface Order {
  /** How many jobs started between the small tenant's submission and its start, itself included. */
  readonly startedAs: number;
  /** Starts of the tenant of weight 3 for each of that of weight 1, while both had jobs waiting. */
  readonly ratio: number;
}

export interface OrderSize {
  /** How many jobs of the large tenant wait. */
  readonly waiting: number;
  /** How many jobs the worker runs at a time. */
  readonly slots: number;
}

const WEIGHED = 4_000;

export async function measureOrder(redisUrl: string, size: OrderSize): Promise<Order> {
  return {
    startedAs: await measureSmallTenant(redisUrl, size),
    ratio: await measureWeights(redisUrl, size.slots),
  };
}

async function measureSmallTenant(redisUrl: string, { waiting, slots }: OrderSize): Promise<number> {
  const gate = latch();
  const { starts, fill, start, stop } = await open(redisUrl, slots, gate.opened);
  try {
    await fill("large", waiting);
    await start();
    await until("all slots are busy", () => starts.length === slots);
    await fill("small", 1);
    gate.open();
    await until("the small tenant's job has started", () => starts.includes("small"), 60_000);
    return starts.indexOf("small") - slots + 1;
  } finally {
    await stop();
  }
}

async function measureWeights(redisUrl: string, slots: number): Promise<number> {
  const { starts, fill, start, stop } = await open(redisUrl, slots, Promise.resolve());
  try {
    await fill("heavy", WEIGHED);
    await fill("light", WEIGHED);
    await start();
    await until("the heavy tenant's jobs are done", () => starts.length >= WEIGHED, 60_000);
    const seen = starts.slice(0, WEIGHED);
    const heavy = seen.filter((tenant) => tenant === "heavy").length;
    return heavy / (WEIGHED - heavy);
  } finally {
    await stop();
  }
}

/** A service whose jobs note their tenants when they start, and wait for `opened`. */
async function open(redisUrl: string, slots: number, opened: Promise<void>) {
  const starts: string[] = [];
  const job = defineJob({
    type: "errand",
    payload: z.strictObject({ tenant: z.string() }),
    result: z.unknown(),
    retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 1_000 } },
    timeoutMs: 60_000,
    fairness: { key: ({ tenant }) => tenant, weight: (tenant) => (tenant === "heavy" ? 3 : 1) },
  });
  const handler = job.handler(async ({ payload }) => {
    starts.push(payload.tenant);
    await opened;
    return {};
  });
  const application = defineConfig({ jobs: [job], handlers: async () => [handler] });
  const env = {
    REDIS_URL: redisUrl,
    HOLDFAST_PREFIX: `flow-${randomUUID()}`,
    HOLDFAST_DURABILITY: "memory",
    HOLDFAST_LOG_LEVEL: "warn",
    HOLDFAST_CONCURRENCY: String(slots),
  };
  const producer = await createProducer(application, env);
  const parts = [producer.stop];
  return {
    starts,
    async fill(tenant: string, count: number) {
      const submissions = Array.from({ length: count }, (_, index) => ({
        payload: { tenant },
        idempotencyKey: `${tenant}-${index}`,
      }));
      const results = await producer.submitMany(job, submissions);
      for (const result of results) if (result instanceof Error) throw result;
    },
    async start() {
      parts.push((await startWorker(application, env)).stop);
    },
    async stop() {
      for (const stop of parts.reverse()) await stop();
    },
  };
}
