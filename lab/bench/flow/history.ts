import { Redis } from "ioredis";
import { HistoryCounts, historyOutcomes } from "../../../src/core/history/history-counts.ts";
import { HOURS_KEPT_MS, MINUTES_KEPT_MS } from "../../../src/core/history/history-writer.ts";
import { historyKey } from "../../../src/core/history/read-history.ts";

/** What a queue's history costs. */
export interface HistoryCost {
  readonly types: number;
  /** Of types that have jobs in each minute, when all that is kept is there. */
  readonly bytesPerType: number;
  /** The minutes of one type, as texts and as a field for each number. */
  readonly textBytes: number;
  readonly fieldBytes: number;
  /** BullMQ's own metrics of one queue, completed and failed, for 14 days. */
  readonly bullmqBytes: number;
  /** To count one attempt. */
  readonly attemptNs: number;
}

const HOUR_MS = 3_600_000;
const ATTEMPTS = 1_000_000;
const BULLMQ_POINTS = 14 * 1_440;

export async function measureHistory(redisUrl: string, types: number): Promise<HistoryCost> {
  const client = new Redis(redisUrl);
  try {
    await client.flushall();
    const empty = await usedBytes(client);
    await fill(client, types);
    const bytesPerType = Math.round(((await usedBytes(client)) - empty) / types);
    const [textBytes, fieldBytes] = [await minuteBytes(client, "text"), await minuteBytes(client, "fields")];
    await client.flushall();
    for (const list of ["completed", "failed"]) await fillList(client, list);
    const bullmqBytes = (await usedBytes(client)) - empty;
    return { types, bytesPerType, textBytes, fieldBytes, bullmqBytes, attemptNs: timeAttempts() };
  } finally {
    client.disconnect();
  }
}

/** As if every minute had been busy, until now. */
async function fill(client: Redis, types: number): Promise<void> {
  const hours = HOURS_KEPT_MS / HOUR_MS;
  const withMinutes = MINUTES_KEPT_MS / HOUR_MS;
  for (let hour = 0; hour < hours; hour += 1) {
    const pipeline = client.pipeline();
    for (let type = 0; type < types; type += 1) {
      const name = `type-of-job-${type}`;
      pipeline.hset(`{q}:${historyKey("hour", hour)}`, `${hour % 24}:${name}`, busy());
      for (let minute = 0; hour < withMinutes && minute < 60; minute += 1)
        pipeline.hset(`{q}:${historyKey("minute", hour * 60 + minute)}`, `${minute}:${name}`, busy());
    }
    await pipeline.exec();
  }
}

/** The counts of a type that completes, retries and fails, with times spread over three powers of ten. */
function busy(): string {
  const counts = new HistoryCounts();
  for (let attempt = 0; attempt < 600; attempt += 1) {
    const outcome = attempt % 50 === 0 ? "retried" : attempt % 211 === 0 ? "failed" : "completed";
    counts.add("submitted");
    counts.addAttempt({ outcome, waitedMs: 10 ** (Math.random() * 3), runMs: 10 ** (Math.random() * 3) });
  }
  return String(counts);
}

const MINUTE_TYPES = 2;

/** Bytes of one type's minutes. */
async function minuteBytes(client: Redis, as: "text" | "fields"): Promise<number> {
  await client.flushall();
  const before = await usedBytes(client);
  for (let hour = 0; hour < MINUTES_KEPT_MS / HOUR_MS; hour += 1) {
    const pipeline = client.pipeline();
    for (let type = 0; type < MINUTE_TYPES; type += 1)
      for (let minute = 0; minute < 60; minute += 1) {
        const key = `{q}:${historyKey("minute", hour * 60 + minute)}`;
        const field = `${minute}:type-of-job-${type}`;
        const parts = busy().split(",");
        const numbers = parts.flatMap((part) => {
          const [name, count = ""] = part.split("=");
          return [`${field}:${name}`, count];
        });
        pipeline.hset(key, ...(as === "text" ? [field, parts.join()] : numbers));
      }
    await pipeline.exec();
  }
  return Math.round(((await usedBytes(client)) - before) / MINUTE_TYPES);
}

async function fillList(client: Redis, list: string): Promise<void> {
  for (let at = 0; at < BULLMQ_POINTS; at += 1_440)
    await client.lpush(
      `{q}:metrics:${list}:data`,
      ...Array.from({ length: 1_440 }, () => Math.floor(Math.random() * 5_000)),
    );
}

async function usedBytes(client: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await client.info("memory"))?.[1]);
}

function timeAttempts(): number {
  const counts = new HistoryCounts();
  const endings = historyOutcomes.filter((outcome) => outcome !== "submitted");
  const begun = performance.now();
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const outcome = endings[attempt % endings.length] ?? "completed";
    counts.addAttempt({ outcome, waitedMs: attempt % 9_000, runMs: attempt % 700 });
  }
  return ((performance.now() - begun) * 1e6) / ATTEMPTS;
}
