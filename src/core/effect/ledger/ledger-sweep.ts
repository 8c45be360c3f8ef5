import type { Logger } from "../../../platform/lib/logger.ts";
import type { Running } from "../../../platform/lib/running.ts";
import { loadScript } from "../../../platform/redis/script.ts";
import type { WatchDue } from "../../bullmq/due-sweeps.ts";
import { startSweep } from "../../bullmq/start-sweep.ts";
import type { QueueStore } from "../../bullmq/store/queue-store.ts";

const SWEEP_EVERY_MS = 1_000;
/** Occupies Redis for less than a millisecond. */
const JOBS_MAX = 100;

const script = loadScript(import.meta.url, "sweep.lua");

/**
 * Sweeps the ledgers of a queue each second.
 *
 * @param retentionMs how long a ledger is kept that no job uses and in which nothing is open
 */
export function startLedgerSweep(
  store: QueueStore,
  retentionMs: number,
  watchDue: WatchDue,
  log: Logger,
): Running {
  const { client, queue } = store;
  const keys = [store.keys.joinedJobs, store.keys.doubts, store.keys.newLedgers];
  const args = [store.keys.ledgerStart, store.keys.start, JOBS_MAX, retentionMs];
  const isDue = watchDue({ key: store.keys.newLedgers }, { key: store.keys.joinedJobs, afterMs: 0 });
  return startSweep(store, { everyMs: SWEEP_EVERY_MS, log, isDue }, async (mayGoOn) => {
    for (let read = JOBS_MAX; read === JOBS_MAX && mayGoOn(); ) {
      const reply = (await script.run(client, keys, args)) as [number, number, number];
      const [, wentOn, doubted] = reply;
      [read] = reply;
      if (wentOn > 0) log.info({ queue, jobs: wentOn }, "jobs go on: their doubts are resolved");
      if (doubted > 0) log.warn({ queue, effects: doubted }, "effects of ended jobs are in doubt");
    }
  });
}
