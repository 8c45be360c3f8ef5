import { queueOfPartition } from "../../core/bullmq/store/partitions.ts";
import type { ConsumedPartition, FeatureInWorker } from "../../core/feature.ts";
import { endedStates } from "../../core/job/job-state.ts";
import { startSweep } from "../../core/life/start-sweep.ts";
import type { Running } from "../../platform/lib/running.ts";
import { integer, tuple } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";

const SWEEP_EVERY_MS = 1_000;
/** Occupies Redis for about a millisecond. */
const JOBS_MAX = 100;

const script = loadScript(import.meta.url, "trim-ended.lua", tuple(integer, integer));

export const inWorker: FeatureInWorker = {
  inPartition: retentionSweeps,
};

/** Deletes ended jobs as their types declare, each second. Nothing runs where no type of the queue declares that. */
function retentionSweeps(partition: ConsumedPartition): Running[] {
  const { client, keys } = partition.store;
  const byState = rulesByState(partition);
  if (byState.length === 0) return [];
  const sweep = async (mayGoOn: () => boolean) => {
    for (const { state, rules } of byState) {
      const args = [keys.start, keys.ledgerStart, state, JSON.stringify(rules), JOBS_MAX];
      for (let isMore = true; isMore && mayGoOn(); ) {
        const [, more] = await script.run(client, [keys[state], keys.joinedJobs], args);
        isMore = more === 1;
      }
    }
  };
  return [startSweep(partition, { everyMs: SWEEP_EVERY_MS }, sweep)];
}

/** Those of the queue's types whose ended jobs are kept shorter than the queue's. */
function rulesByState({ store, handlers }: ConsumedPartition) {
  const queue = queueOfPartition(store.queue);
  const types = [...handlers.values()]
    .map(({ job }) => job)
    .filter((job) => job.queue === queue || job.formerQueues.includes(queue))
    .sort((a, b) => (a.type < b.type ? -1 : 1));
  return endedStates
    .map((state) => {
      const declared = types.filter(({ retention }) => retention[state] !== undefined);
      return { state, rules: declared.map(({ type, retention }) => ({ type, ...retention[state] })) };
    })
    .filter(({ rules }) => rules.length > 0);
}
