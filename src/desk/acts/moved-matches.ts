import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import type { JobState } from "../../core/job/job-state.ts";
import { openMovedJobs } from "../jobs/job-events.ts";
import type { JobFilter } from "../jobs/job-filter.ts";
import type { JobLists } from "../jobs/job-lists.ts";

/** The jobs that a walk through the lists can have missed, because they were on their way from one to another. */
export type MovedMatches = Awaited<ReturnType<typeof followMoved>>;

/** Follows the jobs that match and are in one of these states. */
export async function followMoved(
  { lists, stores }: { readonly lists: JobLists; readonly stores: QueueStores },
  filter: JobFilter,
  states: readonly JobState[],
) {
  const queues = await Promise.all(lists.queuesOf(filter).map((queue) => openMovedJobs(stores.of(queue))));
  return {
    /** Of the time since the call before; and whether these are all. */
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
