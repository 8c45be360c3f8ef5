import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { loadScript } from "../../platform/redis/script.ts";
import { codesForLua } from "./message-pattern.ts";

/** Failed jobs of one type and code whose messages have one pattern. */
export interface StoredFailureGroup {
  readonly type: string;
  readonly count: number;
  /** When the earliest and the latest of them failed, in milliseconds since 1970. */
  readonly earliest: number;
  readonly latest: number;
  readonly latestId: string;
  /** Of the latest, as Redis holds it. */
  readonly reason: string;
  /** Empty where the message is encrypted: then it is one job. */
  readonly pattern: string;
  /** How many of them failed in each hour of the last day, the latest hour first. */
  readonly hours: readonly number[];
}

const script = loadScript(import.meta.url, "failures.lua");
const GROUP_VALUES = 8;

/** Groups a slice of the failed jobs, the latest first. Returns also how many were read. */
export async function groupFailures(
  { client, keys }: QueueStore,
  offset: number,
  limit: number,
): Promise<{ readonly read: number; readonly groups: StoredFailureGroup[] }> {
  const reply = await script.run(client, [keys.failed], [keys.start, offset, limit, codesForLua]);
  const [read, ...values] = reply as [number, ...(string | number)[]];
  const groups = Array.from({ length: values.length / GROUP_VALUES }, (_, index) => {
    const at = index * GROUP_VALUES;
    const [type, count, earliest, latest, latestId, reason, pattern, hours] = values.slice(
      at,
      at + GROUP_VALUES,
    );
    return {
      type: String(type),
      count: Number(count),
      earliest: Number(earliest),
      latest: Number(latest),
      latestId: String(latestId),
      reason: String(reason),
      pattern: String(pattern),
      hours: String(hours).split(",").map(Number),
    };
  });
  return { read, groups };
}
