import type { FeatureInWorker, WorkerProcess } from "../../core/feature.ts";
import { startSweep } from "../sweeps/start-sweep.ts";
import { declareLimits, dropStaleNote } from "./queue-control.ts";

const SWEEP_EVERY_MS = 5_000;

/** What an operator and the application set for a queue: its limits, and why it is paused. */
export const inWorker: FeatureInWorker = {
  inPartition(partition) {
    const due = [{ key: partition.store.keys.own("control") }];
    return [startSweep(partition, { everyMs: SWEEP_EVERY_MS, due }, () => dropStaleNote(partition.store))];
  },
  inProcess(worker) {
    for (const queue of worker.queues) declare(queue, worker);
    return [];
  },
};

/** The limits that stand from before count until these are written. */
function declare(queue: string, { application, stores, log }: WorkerProcess): void {
  const [first, ...others] = stores.partitionsOf([queue]);
  if (first === undefined) return;
  const { limits = {} } = application.queueSettings.get(queue) ?? {};
  declareLimits([first, ...others], limits).catch((error: unknown) =>
    log.warn({ queue, reason: String(error) }, "the declared limits could not be written"),
  );
}
