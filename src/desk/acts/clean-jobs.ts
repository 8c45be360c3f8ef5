import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import { queueOfId } from "../../core/job/job-id.ts";
import { endedStates } from "../../core/job/job-state.ts";
import { malformed } from "../../platform/lib/parse-json.ts";
import { appendToAuditLog, storedReason } from "../audit/audit-log.ts";
import { counted } from "../counted.ts";
import { deleteJob } from "../jobs/delete-job.ts";
import { describeFilter, type JobFilter } from "../jobs/job-filter.ts";
import type { JobLists } from "../jobs/job-lists.ts";

export interface CleanQuery {
  /** `endedTo` is needed: jobs that end while it runs are not meant. */
  readonly filter: JobFilter & { readonly endedTo: number };
  /** How many jobs at most, 1 to 500. */
  readonly limit: number;
  /** `nextCursor` of the call before, with the same filter. */
  readonly cursor?: string | undefined;
  /** Who, for the audit log. */
  readonly by: string;
  /** Why, for the audit log. @default no reason */
  readonly reason?: string | undefined;
}

export interface Cleaned {
  readonly deleted: number;
  /** Matching jobs that stay: in doubt, or retried in between. */
  readonly kept: number;
  /** Null at the end. */
  readonly nextCursor: string | null;
}

/** How many scripts are on their way to Redis at once. */
const AT_A_TIME = 50;

/**
 * Deletes jobs that have ended, a slice per call; each call that deletes some leaves an entry in the audit log. A call that is cut off
 * is simply made again.
 *
 * @throws HoldfastError `INVALID_REQUEST` for a state of jobs that have not ended, and for an invalid cursor
 */
export async function cleanJobs(
  stores: QueueStores,
  lists: JobLists,
  { filter, limit, cursor, by, reason }: CleanQuery,
): Promise<Cleaned> {
  const state = endedStateOf(filter);
  const { found, nextCursor } = await lists.ids(filter, { limit, cursor, states: endedStates });
  const deletedIn = new Map<string, number>();
  for (let at = 0; at < found.length; at += AT_A_TIME) {
    const some = found.slice(at, at + AT_A_TIME).map(async (id) => {
      const queue = queueOfId(id) ?? "";
      const outcome = await deleteJob(stores.of(queue), id, { endedBefore: filter.endedTo, state });
      if (outcome === "deleted") deletedIn.set(queue, (deletedIn.get(queue) ?? 0) + 1);
    });
    await Promise.all(some);
  }
  const why = `${describeFilter(filter)}${reason === undefined ? "" : `: ${reason}`}`;
  for (const [queue, count] of deletedIn) {
    const store = stores.of(queue);
    const evidence = storedReason(store, `${counted(count, "job")} deleted: ${why}`);
    await appendToAuditLog(store, { as: "deleted", evidence, by, count });
  }
  const deleted = [...deletedIn.values()].reduce((sum, some) => sum + some, 0);
  return { deleted, kept: found.length - deleted, nextCursor };
}

function endedStateOf({ state }: JobFilter): "completed" | "failed" | undefined {
  if (state === undefined || state === "completed" || state === "failed") return state;
  throw malformed([{ pointer: "/state", message: `expected ${endedStates.join(" or ")}` }]);
}
