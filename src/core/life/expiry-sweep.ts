import type { Running } from "../../platform/lib/running.ts";
import { integer, tuple } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import type { ConsumedPartition } from "../feature.ts";
import { endedStates } from "../job/job-state.ts";
import { type SweptPartition, startSweep } from "./start-sweep.ts";

const SWEEP_EVERY_MS = 1_000;
/** Occupies Redis for about a millisecond. */
const JOBS_MAX = 100;

const script = loadScript(import.meta.url, "trim-expired.lua", tuple(integer, integer));

/**
 * Deletes ended jobs of a queue whose retention is over, each second. BullMQ would do that only when another job ends, and to jobs in
 * doubt as well.
 */
export function startExpirySweep(partition: SweptPartition & Pick<ConsumedPartition, "settings">): Running {
  const { store } = partition;
  const retentionMs = partition.settings.HOLDFAST_RETENTION_MS;
  const { client, keys } = store;
  /** By state: how many older ones are kept, because they are in doubt. */
  const kept = { completed: 0, failed: 0 };

  async function sweepSlice(state: (typeof endedStates)[number]): Promise<boolean> {
    const args = [keys.start, keys.ledgerStart, state, retentionMs, kept[state], JOBS_MAX];
    const [looked, deleted] = await script.run(client, [keys[state], keys.joinedJobs], args);
    // Some of those before may have been resolved meanwhile: the next round begins with them.
    kept[state] = looked < JOBS_MAX ? 0 : kept[state] + looked - deleted;
    return looked === JOBS_MAX && deleted > 0;
  }

  const due = endedStates.map((state) => ({ key: keys[state], afterMs: retentionMs }));
  return startSweep(partition, { everyMs: SWEEP_EVERY_MS, due }, async (mayGoOn) => {
    for (const state of endedStates) while (mayGoOn() && (await sweepSlice(state)));
  });
}
