import { untilAnswered } from "../../platform/redis/redis-errors.ts";
import type { AttemptOutcome, ClaimedJob } from "../bullmq/claim/claimed-job.ts";
import type { QueueStore } from "../bullmq/store/queue-store.ts";
import type { ConsumedPartition, PartitionPart } from "../feature.ts";

/** A first crash does not show which job caused it. */
const CRASHES_MIN = 2;

/** One for all queues of this process: a crash ends them together. */
let runsOne = false;

/**
 * Keeps a job that kills or blocks its worker from using up the starts of its neighbours. A process runs one such job at a time, so
 * from then on a crash counts for one of them: the culprit, or at worst one other. Those it claims meanwhile are deferred.
 *
 * All jobs of a lost worker are found together and would be claimed together again. So each is also deferred once after each crash:
 * otherwise the culprit could begin while its neighbours are claimed but not yet deferred.
 */
export function runPoisonJobsAlone({ store, settings }: ConsumedPartition): PartitionPart {
  // Random, so that jobs that are deferred together do not come back together.
  const deferred = (): AttemptOutcome => ({
    kind: "deferred",
    delayMs: Math.ceil(Math.random() * 2 * settings.HOLDFAST_LOCK_MS),
  });
  const runAlone: PartitionPart["around"] = async (job, run) => {
    if (runsOne) return deferred();
    runsOne = true;
    try {
      return (await isNewCrash(store, job)) ? deferred() : await run(job);
    } finally {
      runsOne = false;
    }
  };
  return { around: (job, run) => (job.crashes < CRASHES_MIN ? run(job) : runAlone(job, run)) };
}

async function isNewCrash(
  { client, keys }: QueueStore,
  { id, crashes, lease }: ClaimedJob,
): Promise<boolean> {
  const ask = async () => {
    const deferredAt = await client.hget(keys.job(id), "deferredAtCrash");
    if (Number(deferredAt ?? 0) >= crashes) return false;
    await client.hset(keys.job(id), "deferredAtCrash", crashes);
    return true;
  };
  return await untilAnswered(ask, { isLeased: () => lease.isLocked() });
}
