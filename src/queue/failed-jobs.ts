import { type Failure, parseFailure } from "../job/failure.ts";
import { queueOfId } from "../job/job-id.ts";
import { loadScript } from "../redis/script.ts";
import { codesForLua } from "./message-pattern.ts";
import type { QueueStore, QueueStores } from "./queue-store.ts";
import { readFailure, unlessWrongType } from "./readable.ts";

/** A job, in so far as acts on many care; empty texts where it is gone. */
export interface StoredKind {
  readonly id: string;
  readonly type: string;
  /** As Redis holds it; also where an earlier attempt failed. */
  readonly reason: string;
  /** In milliseconds since 1970; 0 where it has not ended. */
  readonly finishedAt: number;
  readonly isCompleted: boolean;
  /** Or is about to end so. */
  readonly isCancelled: boolean;
}

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
}

const script = loadScript(import.meta.url, "failures.lua");
const GROUP_VALUES = 7;

/** Reads why jobs failed last; undefined for those that have not, or are gone. */
export async function readFailures(
  stores: QueueStores,
  ids: readonly string[],
): Promise<(Failure | undefined)[]> {
  const read = async (id: string) => {
    const store = stores.of(queueOfId(id) ?? "");
    const reason = await store.client.hget(store.keys.job(id), "failedReason").catch(unlessWrongType);
    return reason === null ? undefined : readFailure(store, id, reason);
  };
  return await Promise.all(ids.map(read));
}

/** Reads what kind of jobs these are. */
export async function readKinds({ client, keys }: QueueStore, ids: readonly string[]): Promise<StoredKind[]> {
  const fields = ["name", "failedReason", "finishedOn", "returnvalue", "defa"] as const;
  const jobs = await Promise.all(
    ids.map((id) => client.hmget(keys.job(id), ...fields).catch(unlessWrongType)),
  );
  return ids.map((id, index) => {
    const [type, reason, finishedOn, result, mark] = jobs[index] ?? [];
    return {
      id,
      type: type ?? "",
      reason: reason ?? "",
      finishedAt: Number(finishedOn ?? 0),
      isCompleted: result != null,
      isCancelled: isCancellation(mark) || (finishedOn != null && isCancellation(reason)),
    };
  });
}

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
    const [type, count, earliest, latest, latestId, reason, pattern] = values.slice(at, at + GROUP_VALUES);
    return {
      type: String(type),
      count: Number(count),
      earliest: Number(earliest),
      latest: Number(latest),
      latestId: String(latestId),
      reason: String(reason),
      pattern: String(pattern),
    };
  });
  return { read, groups };
}

function isCancellation(reason: string | null | undefined): boolean {
  return reason != null && parseFailure(reason).code === "CANCELLED";
}
