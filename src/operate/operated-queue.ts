import { type CancelOutcome, cancelJob } from "../queue/cancel-job.ts";
import type { QueueStores } from "../queue/queue-store.ts";
import { loadScript } from "../redis/script.ts";

export type Retried = "retried" | "not-failed" | "missing";

/** One queue, under an operator's hand. */
export interface OperatedQueue {
  /**
   * Puts a failed job back in the queue, with all its attempts before it.
   *
   * @param reason only if it is still failed for this reason, as the store holds it
   */
  retry(id: string, reason?: string): Promise<Retried>;
  /** Ends a job that waits, and notifies the worker of one that is active. */
  cancel(id: string): Promise<CancelOutcome>;
}

/** The queues of a store. */
export interface OperatedQueues {
  /** Any queue, also one that no job of the application names any more. */
  get(name: string): OperatedQueue;
  /** Those of the application. */
  readonly names: readonly string[];
}

const retryScript = loadScript(import.meta.url, "../queue/retry.lua", [
  "../effect/ledger-life.lua",
  "../queue/retry-failed-job.lua",
]);

export function openOperatedQueues(stores: QueueStores, names: readonly string[]): OperatedQueues {
  return {
    names,
    get(queue) {
      const store = stores.of(queue);
      const { keys } = store;
      return {
        async retry(id, reason = "") {
          const args = [keys.start, id, keys.ledgerStart, keys.joinedJobs, reason];
          return (await retryScript.run(store.client, [keys.job(id)], args)) as Retried;
        },
        cancel: (jobId) => cancelJob(store, jobId),
      };
    },
  };
}
