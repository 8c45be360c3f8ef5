import type { FeatureInWorker } from "../../core/feature.ts";
import { type SweptPartition, startSweep } from "../../core/life/start-sweep.ts";
import type { Running } from "../../platform/lib/running.ts";
import { integer } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import { childrenInAttempts } from "./children.ts";

export const inWorker: FeatureInWorker = {
  inPartition: (partition) => [{ ...startParentSweep(partition), ...childrenInAttempts(partition.store) }],
};

const SWEEP_EVERY_MS = 1_000;
/** Together they occupy Redis for about 2 ms. */
const PARENTS_MAX = 50;
const CHILDREN_SAMPLE = 10;

const script = loadScript(import.meta.url, "sweep-parents.lua", integer);

/** Sweeps the parents that wait for children: records ends that nobody has reported to them. */
function startParentSweep(partition: SweptPartition): Running {
  const { client, queue, keys } = partition.store;
  const due = [{ key: keys["waiting-children"] }];
  return startSweep(partition, { everyMs: SWEEP_EVERY_MS, due }, async () => {
    const args = [keys.start, PARENTS_MAX, CHILDREN_SAMPLE, SWEEP_EVERY_MS / 2];
    const recorded = await script.run(client, [keys["waiting-children"], keys.own("parents")], args);
    if (recorded > 0)
      partition.log.info(
        { queue, children: recorded },
        "parents learn of children whose end nobody had reported",
      );
  });
}
