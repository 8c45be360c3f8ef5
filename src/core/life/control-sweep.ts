import type { Running } from "../../platform/lib/running.ts";
import { integer, tuple } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import { declareLimits, dropStaleNote } from "../bullmq/queue-control.ts";
import type { ConsumedPartition, WorkerProcess } from "../feature.ts";
import { inRounds, type SweptPartition, startSweep } from "./start-sweep.ts";

const SWEEP_EVERY_MS = 5_000;
const LET_IN_EVERY_MS = 1_000;
const CURBS_MAX = 20;
/** Occupies Redis for some milliseconds. */
const LET_IN_MAX = 200;

const script = loadScript(import.meta.url, "curb-sweep.lua", tuple(integer, integer, integer));

/** Forgets why a queue was paused once another tool has resumed it. */
export function startControlSweep(partition: ConsumedPartition): Running {
  const due = [{ key: partition.store.keys.own("control") }];
  return startSweep(partition, { everyMs: SWEEP_EVERY_MS, due }, () => dropStaleNote(partition.store));
}

/** Sets what the application declares for a queue. The limits that stand from before count until these are written. */
export function declareQueue(queue: string, { application, stores, log }: WorkerProcess): void {
  const [first, ...others] = stores.partitionsOf([queue]);
  if (first === undefined) return;
  const { limits = {} } = application.queueSettings.get(queue) ?? {};
  declareLimits([first, ...others], limits).catch((error: unknown) =>
    log.warn({ queue, reason: String(error) }, "the declared limits could not be written"),
  );
}

/** Lets in, each second, jobs that an operator no longer holds back, and those for which a limit has room while no claim looks. */
export function startCurbSweep(partition: SweptPartition): Running {
  const { client, queue, keys } = partition.store;
  const curbing = keys.own("curbing");
  const sweepSome = async () => {
    const [, letIn, again] = await script.run(client, [curbing], [keys.start, CURBS_MAX, LET_IN_MAX]);
    if (letIn > 0) partition.log.info({ queue, jobs: letIn }, "let in jobs that were held back by hand");
    return again === 1;
  };
  const due = [{ key: curbing, afterMs: 0 }];
  return startSweep(partition, { everyMs: LET_IN_EVERY_MS, due }, (mayGoOn) => inRounds(mayGoOn, sweepSome));
}
