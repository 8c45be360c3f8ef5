import { startSweep } from "../../core/bullmq/start-sweep.ts";
import type { ConsumedPartition } from "../../core/feature.ts";
import type { Running } from "../../platform/lib/running.ts";
import { loadScript } from "../../platform/redis/script.ts";

const SWEEP_EVERY_MS = 1_000;
/** Occupies Redis for about a millisecond. */
const LANES_MAX = 50;
/** Bounds what a sweep takes of Redis's time, however many lanes are due. */
const ROUNDS_MAX = 10;

const script = loadScript(import.meta.url, "sweep-lanes.lua");

/** Sweeps the lanes of a queue each second: lets in what nobody let in after a job's end. */
export function startLaneSweep({
  store,
  watchDue,
  log,
}: Pick<ConsumedPartition, "store" | "watchDue" | "log">): Running {
  const { client, queue, keys } = store;
  const isDue = watchDue({ key: keys.lanes, afterMs: 0 });
  return startSweep(store, { everyMs: SWEEP_EVERY_MS, log, isDue }, async (mayGoOn) => {
    for (let round = 0; round < ROUNDS_MAX && mayGoOn(); round += 1) {
      const reply = await script.run(client, [keys.lanes], [keys.start, LANES_MAX]);
      const [looked, letIn] = reply as [number, number];
      if (letIn > 0) log.info({ queue, jobs: letIn }, "held jobs are let in that nobody had let in");
      if (looked < LANES_MAX) return;
    }
  });
}
