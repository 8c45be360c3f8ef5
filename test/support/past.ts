import type { Redis } from "ioredis";
import { HistoryCounts, type HistoryOutcome } from "../../src/core/history/history-counts.ts";
import { historyKey } from "../../src/core/history/read-history.ts";

/** A type's past: how many jobs a minute, and how long they take. */
export interface PastType {
  readonly queue: string;
  readonly type: string;
  readonly perMinute: number;
  readonly runMs: number;
  /** Share of the attempts. */
  readonly failed: number;
}

const MINUTE_MS = 60_000;
const HOUR = 60;

/** Writes the history of some hours until now, as if workers had run. Between 3 and 4 hours ago nothing ran. */
export async function writePast(
  client: Redis,
  prefix: string,
  hours: number,
  types: readonly PastType[],
  until = Date.now(),
): Promise<void> {
  const now = Math.floor(until / MINUTE_MS);
  const pipeline = client.pipeline();
  for (const past of types) {
    const start = `${prefix}:{${past.queue}}:history:`;
    for (let hour = Math.floor(now / HOUR) - hours; hour <= Math.floor(now / HOUR); hour += 1) {
      const whole = new HistoryCounts();
      for (let minute = hour * HOUR; minute < Math.min(now, (hour + 1) * HOUR); minute += 1) {
        const counts = countsOf(past, now - minute);
        whole.addAll(counts);
        pipeline.hset(start + historyKey("minute", minute), `${minute % HOUR}:${past.type}`, String(counts));
      }
      pipeline.hset(start + historyKey("hour", hour), `${hour % 24}:${past.type}`, String(whole));
    }
  }
  await pipeline.exec();
}

/** More by day than by night. */
function countsOf({ perMinute, runMs, failed }: PastType, minutesAgo: number): HistoryCounts {
  const counts = new HistoryCounts();
  const wave = 1 + 0.5 * Math.sin(minutesAgo / 150) + 0.2 * Math.sin(minutesAgo / 7);
  const submitted = Math.round(perMinute * wave);
  const isIdle = minutesAgo > 180 && minutesAgo < 240;
  const ended = isIdle ? 0 : Math.round(submitted * (minutesAgo > 165 && minutesAgo <= 180 ? 3 : 1));
  counts.add("submitted", submitted);
  for (let attempt = 0; attempt < ended; attempt += 1) {
    const outcome: HistoryOutcome = attempt < ended * failed ? "failed" : "completed";
    const spread = 0.5 + (attempt % 17) / 8;
    counts.addAttempt({ outcome, waitedMs: 3 * spread, runMs: runMs * spread });
  }
  return counts;
}
