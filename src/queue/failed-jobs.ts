import { type Failure, parseFailure } from "../job/failure.ts";
import { queueOfId } from "../job/job-id.ts";
import { loadScript } from "../redis/script.ts";
import { jobStateLua } from "./includes.ts";
import type { QueueStore, QueueStores } from "./queue-store.ts";
import { decryptedOrWhyNot, unlessWrongType } from "./readable.ts";

/** A failed job; empty texts where it is gone. */
export interface StoredFailure {
  readonly id: string;
  readonly type: string;
  /** As Redis holds it, for `readFailure`. */
  readonly reason: string;
}

/** Failed jobs of one type and code. */
export interface StoredFailureGroup {
  readonly type: string;
  readonly count: number;
  /** When the earliest and the latest of them failed, in milliseconds since 1970. */
  readonly earliest: number;
  readonly latest: number;
  readonly latestId: string;
  /** Of the latest, as Redis holds it. */
  readonly reason: string;
}

const script = loadScript(import.meta.url, "failures.lua", jobStateLua);
const GROUP_VALUES = 6;

/** Why a job failed; a message that cannot be decrypted says so. */
export function readFailure(store: QueueStore, jobId: string, reason: string): Failure {
  return parseFailure(reason, (message) =>
    decryptedOrWhyNot(() => store.decryptText(jobId, "failure", message)),
  );
}

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

/** Reads jobs that failed until an instant, in milliseconds since 1970, those that failed first first. */
export async function readFailedUntil(
  { client, keys }: QueueStore,
  until: number,
  offset: number,
  limit: number,
): Promise<StoredFailure[]> {
  const ids = await client.zrangebyscore(keys.failed, "-inf", until, "LIMIT", offset, limit);
  const jobs = await Promise.all(
    ids.map((id) => client.hmget(keys.job(id), "name", "failedReason").catch(unlessWrongType)),
  );
  return ids.map((id, index) => {
    const [type, reason] = jobs[index] ?? [];
    return { id, type: type ?? "", reason: reason ?? "" };
  });
}

/** Groups a slice of the failed jobs, the latest first. Returns also how many were read. */
export async function groupFailures(
  { client, keys }: QueueStore,
  offset: number,
  limit: number,
): Promise<{ readonly read: number; readonly groups: StoredFailureGroup[] }> {
  const reply = await script.run(client, [keys.failed], [keys.start, offset, limit]);
  const [read, ...values] = reply as [number, ...(string | number)[]];
  const groups = Array.from({ length: values.length / GROUP_VALUES }, (_, index) => {
    const at = index * GROUP_VALUES;
    const [type, count, earliest, latest, latestId, reason] = values.slice(at, at + GROUP_VALUES);
    return {
      type: String(type),
      count: Number(count),
      earliest: Number(earliest),
      latest: Number(latest),
      latestId: String(latestId),
      reason: String(reason),
    };
  });
  return { read, groups };
}
