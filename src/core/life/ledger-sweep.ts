import type { Running } from "../../platform/lib/running.ts";
import { integer, tuple } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import type { ConsumedPartition } from "../feature.ts";
import { type SweptPartition, startSweep } from "./start-sweep.ts";

const SWEEP_EVERY_MS = 1_000;
/** Occupies Redis for less than a millisecond. */
const JOBS_MAX = 100;

const script = loadScript(import.meta.url, "ledger-sweep.lua", tuple(integer, integer, integer));

/**
 * Does each second what no step of an effect can do at its job's end: a ledger expires, a doubt is listed, a job whose doubts are resolved
 * goes on.
 */
export function startLedgerSweep(partition: SweptPartition & Pick<ConsumedPartition, "settings">): Running {
  const { store, settings, log } = partition;
  const { client, queue } = store;
  const keys = [store.keys.joinedJobs, store.keys.doubts, store.keys.newLedgers];
  const args = [store.keys.ledgerStart, store.keys.start, JOBS_MAX, settings.HOLDFAST_RETENTION_MS];
  const due = [{ key: store.keys.newLedgers }, { key: store.keys.joinedJobs, afterMs: 0 }];
  return startSweep(partition, { everyMs: SWEEP_EVERY_MS, due }, async (mayGoOn) => {
    for (let read = JOBS_MAX; read === JOBS_MAX && mayGoOn(); ) {
      const reply = await script.run(client, keys, args);
      const [, wentOn, doubted] = reply;
      [read] = reply;
      if (wentOn > 0) log.info({ queue, jobs: wentOn }, "jobs go on: their doubts are resolved");
      if (doubted > 0) log.warn({ queue, effects: doubted }, "effects of ended jobs are in doubt");
    }
  });
}
