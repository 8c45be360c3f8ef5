import { startSweep } from "../../core/bullmq/start-sweep.ts";
import type { ConsumedPartition } from "../../core/feature.ts";
import type { Running } from "../../platform/lib/running.ts";
import { loadScript } from "../../platform/redis/script.ts";

const SWEEP_EVERY_MS = 1_000;
/** Workers claim jobs that are due; one that has died was the only one that knew when. */
const LATE_MS = 200;
/** Occupies Redis for about a millisecond. */
const KEYS_MAX = 50;
/** Bounds what a sweep takes of Redis's time, however many keys are due. */
const ROUNDS_MAX = 10;

const script = loadScript(import.meta.url, "sweep-rates.lua");

/** Sweeps the rate keys of a queue each second: gives on what nobody used. */
export function startRateSweep({
  store,
  watchDue,
  log,
}: Pick<ConsumedPartition, "store" | "watchDue" | "log">): Running {
  const { client, queue, keys } = store;
  const [rates, due] = [`${keys.start}rates`, `${keys.start}held:due`];
  const isDue = watchDue({ key: rates, afterMs: 0 }, { key: due, afterMs: LATE_MS });
  return startSweep(store, { everyMs: SWEEP_EVERY_MS, log, isDue }, async (mayGoOn) => {
    for (let round = 0; round < ROUNDS_MAX && mayGoOn(); round += 1) {
      const [looked, given] = (await script.run(client, [rates], [keys.start, KEYS_MAX])) as [number, number];
      if (given > 0) log.info({ queue, jobs: given }, "held jobs got what others of their key had not used");
      if (looked < KEYS_MAX) return;
    }
  });
}
