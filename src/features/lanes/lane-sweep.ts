import type { IsDue } from "../../core/bullmq/due-sweeps.ts";
import { startSweep } from "../../core/bullmq/start-sweep.ts";
import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import type { Logger } from "../../platform/lib/logger.ts";
import type { Running } from "../../platform/lib/running.ts";
import { loadScript } from "../../platform/redis/script.ts";

const SWEEP_EVERY_MS = 1_000;
/** Occupies Redis for about a millisecond. */
const LANES_MAX = 50;
/** Bounds what a sweep takes of Redis's time, however many lanes are due. */
const ROUNDS_MAX = 10;

const script = loadScript(import.meta.url, "sweep-lanes.lua");

/** Sweeps the lanes of a queue each second: lets in what nobody let in after a job's end. */
export function startLaneSweep(store: QueueStore, isDue: IsDue, log: Logger): Running {
  const { client, queue, keys } = store;
  return startSweep(store, { everyMs: SWEEP_EVERY_MS, log, isDue: () => isDue("lanes") }, async (mayGoOn) => {
    for (let round = 0; round < ROUNDS_MAX && mayGoOn(); round += 1) {
      const reply = await script.run(client, [keys.lanes], [keys.start, LANES_MAX]);
      const [looked, letIn] = reply as [number, number];
      if (letIn > 0) log.info({ queue, jobs: letIn }, "held jobs are let in that nobody had let in");
      if (looked < LANES_MAX) return;
    }
  });
}
