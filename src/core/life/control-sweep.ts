import type { Running } from "../../platform/lib/running.ts";
import { declareLimits, dropStaleNote } from "../bullmq/queue-control.ts";
import type { ConsumedPartition, WorkerProcess } from "../feature.ts";
import { startSweep } from "./start-sweep.ts";

const SWEEP_EVERY_MS = 5_000;

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
