import { randomUUID } from "node:crypto";
import { createProducer, defineConfig, defineJob } from "holdfast";
import { startApi } from "holdfast/server";
import { Redis } from "ioredis";
import { z } from "zod";
import { queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";

/** What tags cost. Milliseconds are medians. */
export interface TagCost {
  /** A page of 50 jobs of a tag that one job in a thousand has. */
  readonly rareMs: number;
  /** The same with the total. */
  readonly totalMs: number;
  /** A page of 50 jobs of a tag that all have. */
  readonly commonMs: number;
  /** Memory of an entry of the index, in bytes: of a large and of a small tag. */
  readonly largeBytes: number;
  readonly smallBytes: number;
}

const note = defineJob({
  type: "note",
  payload: z.int(),
  result: z.unknown(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 1_000 } },
  timeoutMs: 10_000,
});
const application = defineConfig({ jobs: [note], handlers: async () => [] });

const TOGETHER = 1_000;
const TIMES = 21;

/** @param jobs how many wait */
export async function measureTags(redisUrl: string, jobs: number): Promise<TagCost> {
  const env = {
    REDIS_URL: redisUrl,
    HOLDFAST_PREFIX: `flow-${randomUUID()}`,
    HOLDFAST_DURABILITY: "memory",
    HOLDFAST_LOG_LEVEL: "warn",
    HOLDFAST_PORT: "0",
  };
  const client = new Redis(redisUrl);
  const producer = await createProducer(application, env);
  const api = await startApi(application, env);
  try {
    for (let at = 0; at < jobs; at += TOGETHER) {
      const some = Array.from({ length: TOGETHER }, (_, index) => submissionOf(at + index));
      await producer.submitMany(note, some);
    }
    const { own } = queueKeys(env.HOLDFAST_PREFIX, "default");
    const tag = (name: string) => own(`tag:${name}`);
    return {
      rareMs: await medianMs(`${api.url}/jobs?tag=rare&limit=50`),
      totalMs: await medianMs(`${api.url}/jobs?tag=rare&limit=50&total=true`),
      commonMs: await medianMs(`${api.url}/jobs?tag=common&limit=50`),
      largeBytes: await bytesPerEntry(client, tag("common")),
      smallBytes: await bytesPerEntry(client, tag("rare-0")),
    };
  } finally {
    await api.stop();
    await producer.stop();
    client.disconnect();
  }
}

function submissionOf(number: number) {
  const rare = number % 1_000 === 0 ? ["rare", `rare-${Math.floor(number / 20_000)}`] : [];
  return { payload: number, idempotencyKey: `note-${number}`, tags: ["common", ...rare] };
}

async function medianMs(url: string): Promise<number> {
  const times: number[] = [];
  for (let time = 0; time < TIMES; time += 1) {
    const start = performance.now();
    await (await fetch(url)).arrayBuffer();
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[(TIMES - 1) / 2] ?? Number.NaN;
}

async function bytesPerEntry(client: Redis, key: string): Promise<number> {
  const bytes = (await client.memory("USAGE", key, "SAMPLES", 0)) ?? 0;
  return bytes / (await client.zcard(key));
}
