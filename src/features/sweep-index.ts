import type { QueueStore } from "../core/bullmq/store/queue-store.ts";
import type { FeatureInWorker } from "../core/feature.ts";
import { startSweep } from "../core/life/start-sweep.ts";
import { integer, tuple } from "../platform/redis/reply-shape.ts";
import { loadScript } from "../platform/redis/script.ts";

const script = loadScript(import.meta.url, "sweep-index.lua", tuple(integer, integer, integer));

/** An index of jobs, as job-index.lua has it. */
export interface JobIndex {
  readonly set: string;
  readonly all: string;
  /** How many names one call looks at. With their entries it occupies Redis for about 2 ms on a busy machine, where all of them are gone. */
  readonly namesMax: number;
  /** How long a name is left alone that was looked at, in milliseconds. */
  readonly againMs: number;
}

const ENTRIES_MAX = 500;
const SWEEP_EVERY_MS = 5_000;
/** Calls of one sweep. It must keep up with thousands of jobs a second. */
const CALLS_MAX = 200;
/** Calls of one sweep that find little to remove. */
const IDLE_CALLS_MAX = 5;
const LITTLE = 0.25;

/**
 * Removes entries of an index whose jobs are gone, which BullMQ removes by itself.
 *
 * @returns how many it removed
 */
export async function sweepIndex(
  { client, keys }: QueueStore,
  { set, all, namesMax, againMs }: JobIndex,
): Promise<number> {
  let [removed, idle] = [0, 0];
  for (let calls = 0; calls < CALLS_MAX && idle < IDLE_CALLS_MAX && client.status === "ready"; calls += 1) {
    const args = [keys.start, set, namesMax, ENTRIES_MAX, againMs];
    const [names, read, gone] = await script.run(client, [keys.own(all)], args);
    removed += gone;
    if (names < namesMax && gone === 0) break;
    if (gone < read * LITTLE) idle += 1;
  }
  return removed;
}

/** Sweeps an index of each partition from time to time. */
export function sweepsOf(index: JobIndex): FeatureInWorker {
  return {
    inPartition(partition) {
      const due = [{ key: partition.store.keys.own(index.all), afterMs: index.againMs }];
      return [
        startSweep(partition, { everyMs: SWEEP_EVERY_MS, due }, () => sweepIndex(partition.store, index)),
      ];
    },
  };
}
