import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import type { FeatureInWorker } from "../../core/feature.ts";
import { startSweep } from "../../core/life/start-sweep.ts";
import { integer, tuple } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";

const script = loadScript(import.meta.url, "sweep-tags.lua", tuple(integer, integer, integer));

/** Together they occupy Redis for about 2 ms on a busy machine, where all of them are gone. */
const TAGS_MAX = 10;
const ENTRIES_MAX = 500;
const SWEEP_EVERY_MS = 5_000;
const AGAIN_MS = 60_000;
/** Calls of one sweep. It must keep up with thousands of tagged jobs a second. */
const CALLS_MAX = 200;
/** Calls of one sweep that find little to remove. */
const IDLE_CALLS_MAX = 5;
const LITTLE = 0.25;

/**
 * Removes entries of tags whose jobs are gone, which BullMQ removes by itself.
 *
 * @param againMs how long a tag is left alone that was looked at
 * @returns how many it removed
 */
export async function sweepTags({ client, keys }: QueueStore, againMs = AGAIN_MS): Promise<number> {
  let [removed, idle] = [0, 0];
  for (let calls = 0; calls < CALLS_MAX && idle < IDLE_CALLS_MAX && client.status === "ready"; calls += 1) {
    const args = [keys.start, TAGS_MAX, ENTRIES_MAX, againMs];
    const [tags, read, gone] = await script.run(client, [keys.own("tags")], args);
    removed += gone;
    if (tags < TAGS_MAX && gone === 0) break;
    if (gone < read * LITTLE) idle += 1;
  }
  return removed;
}

/** Sweeps the tags of a queue from time to time. */
export const inWorker: FeatureInWorker = {
  inPartition(partition) {
    const due = [{ key: partition.store.keys.own("tags"), afterMs: AGAIN_MS }];
    return [startSweep(partition, { everyMs: SWEEP_EVERY_MS, due }, () => sweepTags(partition.store))];
  },
};
