import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import type { JobState } from "../../core/job/job-state.ts";
import { openMovedJobs } from "../jobs/job-events.ts";
import type { JobFilter } from "../jobs/job-filter.ts";
import type { JobLists } from "../jobs/job-lists.ts";

/** The jobs that a walk through the lists can have missed, because they were on their way from one to another. */
export interface MovedMatches {
  /** Of the time since the call before. */
  next(): Promise<{
    readonly ids: readonly string[];
    /** Whether these are all. */
    readonly isWhole: boolean;
  }>;
}

/** Follows the jobs that match and are in one of these states. */
export async function followMoved(
  { lists, stores }: { readonly lists: JobLists; readonly stores: QueueStores },
  filter: JobFilter,
  states: readonly JobState[],
): Promise<MovedMatches> {
  const queues = await Promise.all(lists.queuesOf(filter).map((queue) => openMovedJobs(stores.of(queue))));
  return {
    async next() {
      const moved = await Promise.all(queues.map((queue) => queue.next()));
      const ids = await lists.among(
        moved.flatMap((some) => some ?? []),
        filter,
        states,
      );
      return { ids, isWhole: !moved.includes(undefined) };
    },
  };
}
