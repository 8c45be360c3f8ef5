import type { FeatureInWorker } from "../../core/feature.ts";
import { inRounds, type SweptPartition, startSweep } from "../../core/life/start-sweep.ts";
import type { Running } from "../../platform/lib/running.ts";
import { integer, tuple } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";

const SWEEP_EVERY_MS = 1_000;
/** A held job that is due for this long was let in by no claim: the worker that waited for its time has died. */
const LATE_MS = 200;
/** Together they occupy Redis for some milliseconds. */
const KEYS_MAX = 50;
const LOOKED_MAX = 200;
const GIVEN_MAX = 100;

const script = loadScript(import.meta.url, "sweep-rates.lua", tuple(integer, integer));

export const inWorker: FeatureInWorker = { inPartition: (partition) => [startRateSweep(partition)] };

/** Sweeps the rate keys of a queue each second: passes on tokens that nobody used. */
function startRateSweep(partition: SweptPartition): Running {
  const { client, queue, keys } = partition.store;
  const rates = `${keys.start}rates`;
  const due = [
    { key: rates, afterMs: 0 },
    { key: `${keys.start}held:due`, afterMs: LATE_MS },
  ];
  const sweepSome = async () => {
    const args = [keys.start, KEYS_MAX, LOOKED_MAX, GIVEN_MAX];
    const [looked, given] = await script.run(client, [rates], args);
    if (given > 0)
      partition.log.info({ queue, jobs: given }, "held jobs got what others of their key had not used");
    return looked === KEYS_MAX;
  };
  return startSweep(partition, { everyMs: SWEEP_EVERY_MS, due }, (mayGoOn) => inRounds(mayGoOn, sweepSome));
}
