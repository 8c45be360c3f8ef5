import { type Failure, parseFailure } from "../job/failure.ts";
import { queueOfId } from "../job/job-id.ts";
import { readFailure, unlessWrongType } from "./readable.ts";
import type { QueueStore, QueueStores } from "./store/queue-store.ts";

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

function isCancellation(reason: string | null | undefined): boolean {
  return reason != null && parseFailure(reason).code === "CANCELLED";
}
