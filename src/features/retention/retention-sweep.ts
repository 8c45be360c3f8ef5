import { queueOfPartition } from "../../core/bullmq/store/partitions.ts";
import type { ConsumedPartition } from "../../core/feature.ts";
import type { Running } from "../../platform/lib/running.ts";
import { loadScript } from "../../platform/redis/script.ts";
import { type SweptPartition, startSweep } from "../sweeps/start-sweep.ts";
import { type JobRetention, type Kept, keptStates } from "./retention.ts";

/** A type whose ended jobs are kept shorter than the queue's. */
interface KeptType {
  readonly type: string;
  readonly retention: JobRetention;
}

const SWEEP_EVERY_MS = 1_000;
/** Occupies Redis for about a millisecond. */
const JOBS_MAX = 100;

const script = loadScript(import.meta.url, "trim-ended.lua");

/** Deletes ended jobs as their types declare, each second. Nothing runs where no type of the queue declares that. */
export function retentionSweeps(partition: ConsumedPartition): Running[] {
  const queue = queueOfPartition(partition.store.queue);
  const types = [...partition.handlers.values()]
    .map(({ job }) => job)
    .filter((job) => job.queue === queue || job.formerQueues.includes(queue))
    .filter(({ retention }) => retention.completed !== undefined || retention.failed !== undefined);
  return types.length === 0 ? [] : [startRetentionSweep(partition, types)];
}

function startRetentionSweep(partition: SweptPartition, types: readonly KeptType[]): Running {
  const { client, keys } = partition.store;
  const byState = keptStates
    .map((state) => ({ state, rules: rulesOf(types, state) }))
    .filter(({ rules }) => rules.length > 0);
  return startSweep(partition, { everyMs: SWEEP_EVERY_MS }, async (mayGoOn) => {
    for (const { state, rules } of byState) {
      const args = [keys.start, keys.ledgerStart, state, JSON.stringify(rules), JOBS_MAX];
      for (let isMore = true; isMore && mayGoOn(); ) {
        const [, more] = (await script.run(client, [keys[state], keys.joinedJobs], args)) as [number, number];
        isMore = more === 1;
      }
    }
  });
}

type Rule = Kept & { readonly type: string };

function rulesOf(types: readonly KeptType[], state: (typeof keptStates)[number]): Rule[] {
  return types
    .flatMap(({ type, retention }) => {
      const kept = retention[state];
      return kept === undefined ? [] : [{ type, ...kept }];
    })
    .sort((a, b) => (a.type < b.type ? -1 : 1));
}
