import type { QueueStore } from "../bullmq/store/queue-store.ts";
import { HistoryCounts } from "./history-counts.ts";

export interface HistoryRecord {
  /** When the minute or hour begins, in milliseconds since 1970. */
  readonly at: number;
  readonly type: string;
  readonly counts: HistoryCounts;
}

export type HistoryUnit = "minute" | "hour";

/** Keys: minutes by the hour, hours by the day. */
const units = {
  minute: { ms: 60_000, perKey: 60, letter: "m" },
  hour: { ms: 3_600_000, perKey: 24, letter: "h" },
} as const;

/** The name of the key that has a minute or an hour, without what all keys of the queue begin with. @param index since 1970 */
export function historyKey(unit: HistoryUnit, index: number): string {
  const { perKey, letter } = units[unit];
  return `${letter}:${Math.floor(index / perKey)}`;
}

/**
 * Reads one partition's history. Each command reads one key, so that Redis is never occupied for long.
 *
 * @param from milliseconds since 1970
 * @param to exclusive
 */
export async function readHistoryRecords(
  { client, keys }: QueueStore,
  unit: HistoryUnit,
  from: number,
  to: number,
): Promise<HistoryRecord[]> {
  const { ms, perKey } = units[unit];
  const keyMs = ms * perKey;
  const first = Math.floor(from / keyMs);
  const count = Math.max(0, Math.ceil(to / keyMs) - first);
  const reads = Array.from({ length: count }, async (_, index) => {
    const start = (first + index) * keyMs;
    const fields = await client.hgetall(keys.own("history:") + historyKey(unit, start / ms));
    return Object.entries(fields).flatMap(([field, text]) => recordOf(start, ms, field, text));
  });
  return (await Promise.all(reads)).flat().filter(({ at }) => at >= from && at < to);
}

function recordOf(start: number, ms: number, field: string, text: string): HistoryRecord[] {
  const colon = field.indexOf(":");
  const part = Number(field.slice(0, colon));
  if (colon < 1 || !Number.isInteger(part)) return [];
  const counts = new HistoryCounts();
  counts.addText(text);
  return [{ at: start + part * ms, type: field.slice(colon + 1), counts }];
}
