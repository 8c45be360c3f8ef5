import { randomUUID } from "node:crypto";
import { createProducer, defineConfig, defineJob } from "holdfast";
import { startWorker } from "holdfast/worker";
import { z } from "zod";
import { until } from "../../../test/support/until.ts";

export interface LargeFlow {
  readonly submittedMs: number;
  /** From the worker's start to the parent's end. */
  readonly ranMs: number;
  /** Reading all children, in the parent's handler. */
  readonly readMs: number;
  /** Whether the parent read each child once. */
  readonly isWhole: boolean;
}

/** Submits a flow of many children, and runs it. */
export async function measureLargeFlow(redisUrl: string, children: number): Promise<LargeFlow> {
  const read = { indexes: new Set<number>(), count: 0, ms: 0 };
  const { part, whole, application } = applicationOf(read);
  const env = {
    REDIS_URL: redisUrl,
    HOLDFAST_PREFIX: `flow-${randomUUID()}`,
    HOLDFAST_DURABILITY: "memory",
    HOLDFAST_CONCURRENCY: "50",
    HOLDFAST_LOG_LEVEL: "silent",
  };
  await using producer = await createProducer(application, env);
  const begun = performance.now();
  const { id } = await producer.submitFlow({
    parent: { job: whole, payload: {}, idempotencyKey: "whole" },
    children: Array.from({ length: children }, (_, at) => ({ job: part, payload: { at } })),
  });
  const submittedMs = performance.now() - begun;
  const started = performance.now();
  const worker = await startWorker(application, env);
  try {
    await until(
      "the parent has ended",
      async () => (await producer.status(id))?.state === "completed",
      300_000,
    );
  } finally {
    await worker.stop();
  }
  const ranMs = performance.now() - started;
  const isWhole = read.count === children && read.indexes.size === children;
  return { submittedMs, ranMs, readMs: read.ms, isWhole };
}

function applicationOf(read: { indexes: Set<number>; count: number; ms: number }) {
  const retry = { attempts: 1, backoff: { kind: "fixed", delayMs: 1_000 } } as const;
  const part = defineJob({
    type: "part",
    payload: z.strictObject({ at: z.int() }),
    result: z.strictObject({ at: z.int() }),
    retry,
    timeoutMs: 60_000,
  });
  const whole = defineJob({
    type: "whole",
    payload: z.strictObject({}),
    result: z.unknown(),
    retry,
    timeoutMs: 300_000,
  });
  const handlers = [
    part.handler(async ({ payload }) => payload),
    whole.handler(async ({ children }) => {
      const begun = performance.now();
      for await (const child of children(part)) {
        read.count += 1;
        if (child.result?.at === child.index) read.indexes.add(child.index);
      }
      read.ms = performance.now() - begun;
      return null;
    }),
  ];
  return { part, whole, application: defineConfig({ jobs: [part, whole], handlers: async () => handlers }) };
}
