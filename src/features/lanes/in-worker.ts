import type { FeatureInWorker } from "../../core/feature.ts";
import { inRounds, type SweptPartition, startSweep } from "../../core/life/start-sweep.ts";
import type { Running } from "../../platform/lib/running.ts";
import { integer, tuple } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import { letNextInAtEnds } from "./let-next-in.ts";

const SWEEP_EVERY_MS = 1_000;
/** Occupies Redis for about a millisecond. */
const LANES_MAX = 50;

const script = loadScript(import.meta.url, "sweep-lanes.lua", tuple(integer, integer));

export const inWorker: FeatureInWorker = {
  inPartition: (partition) => [{ ...startLaneSweep(partition), ...letNextInAtEnds(partition) }],
};

/** Sweeps the lanes of a queue each second: lets in the jobs that no worker let in after another's end. */
export function startLaneSweep(partition: SweptPartition): Running {
  const { client, queue, keys } = partition.store;
  const due = [{ key: keys.own("lanes"), afterMs: 0 }];
  const sweepSome = async () => {
    const [looked, letIn] = await script.run(client, [keys.own("lanes")], [keys.start, LANES_MAX]);
    if (letIn > 0)
      partition.log.info({ queue, jobs: letIn }, "let in held jobs whose worker died before it could");
    return looked === LANES_MAX;
  };
  return startSweep(partition, { everyMs: SWEEP_EVERY_MS, due }, (mayGoOn) => inRounds(mayGoOn, sweepSome));
}
