import type { StoredAct } from "../../core/bullmq/cancel-job.ts";
import { cancelJob } from "../../core/bullmq/cancel-job.ts";
import type { QueueStore, QueueStores } from "../../core/bullmq/store/queue-store.ts";
import { jobNotFound, queueOfId } from "../../core/job/job-id.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";
import { type Cleaned, type CleanQuery, cleanJobs } from "../acts/clean-jobs.ts";
import { type Act, LIBRARY, storedReason } from "../audit/audit-log.ts";
import { deleteJob } from "./delete-job.ts";
import type { JobLists } from "./job-lists.ts";
import { retryJob } from "./retry-job.ts";

/** What an operator does to jobs. */
export interface JobOperator {
  /**
   * Returns a failed job to its queue with all its attempts before it. Effects that are done stay done.
   *
   * @throws HoldfastError `JOB_NOT_FOUND`, `JOB_NOT_FAILED`, `EFFECTS_FORGOTTEN`
   */
  retry(id: string, act?: Act): Promise<void>;
  /**
   * Cancels a job: a waiting one at once; a running one by aborting its attempt.
   *
   * @returns `cancelled` if the job has ended
   * @throws HoldfastError `JOB_NOT_FOUND`, `JOB_ENDED`
   */
  cancel(id: string, act?: Act): Promise<"cancelled" | "cancelling">;
  /**
   * Deletes a job that has ended, as the retention would: its idempotency key and its effects are remembered.
   *
   * @param by who, for the audit log
   * @param reason why, for the audit log @default no reason
   * @throws HoldfastError `JOB_NOT_FOUND`, `JOB_NOT_ENDED`, `JOB_IN_DOUBT`
   */
  delete(id: string, by: string, reason?: string): Promise<void>;
  /**
   * Deletes jobs that have ended, a slice per call: call it again with `nextCursor`. Jobs in doubt stay.
   *
   * @throws HoldfastError `INVALID_REQUEST` for an invalid cursor or filter
   */
  clean(query: CleanQuery): Promise<Cleaned>;
}

/** Each act on one job is on record in the same step. */
export function openJobOperator(stores: QueueStores, lists: JobLists): JobOperator {
  return {
    async retry(id, act = { by: LIBRARY }) {
      const store = storeOf(stores, id);
      const outcome = await inTime(retryJob(store, id, { act: storedAct(store, act) }));
      if (outcome === "missing") throw jobNotFound();
      if (outcome === "not-failed")
        throw new HoldfastError("JOB_NOT_FAILED", "Only a failed job can be retried");
      if (outcome === "forgotten") throw effectsForgotten();
    },
    async cancel(id, act = { by: LIBRARY }) {
      const store = storeOf(stores, id);
      const outcome = await inTime(cancelJob(store, id, storedAct(store, act)));
      if (outcome === "missing") throw jobNotFound();
      if (outcome === "ended")
        throw new HoldfastError("JOB_ENDED", "The job has ended already; it cannot be cancelled");
      return outcome;
    },
    async delete(id, by, reason) {
      const store = storeOf(stores, id);
      const evidence = storedReason(store, reason);
      const outcome = await inTime(deleteJob(store, id, { by, evidence }));
      if (outcome === "missing") throw jobNotFound();
      if (outcome === "not-ended")
        throw new HoldfastError("JOB_NOT_ENDED", "Only a job that has ended can be deleted; cancel it first");
      if (outcome === "in-doubt")
        throw new HoldfastError("JOB_IN_DOUBT", "An effect of the job is in doubt; resolve it first");
    },
    clean: (query) => inTime(cleanJobs(stores, lists, query)),
  };
}

function effectsForgotten(): HoldfastError {
  return new HoldfastError(
    "EFFECTS_FORGOTTEN",
    "The job asked for effects, and what was known of them is gone: a retry could repeat them",
  );
}

function storedAct(store: QueueStore, { by, reason }: Act): StoredAct {
  return { by, evidence: storedReason(store, reason) };
}

/** The store of a job's queue, even if no job of the application names that queue any more. */
export function storeOf(stores: QueueStores, id: string): QueueStore {
  const queue = queueOfId(id);
  if (queue === undefined) throw jobNotFound();
  return stores.of(queue);
}
