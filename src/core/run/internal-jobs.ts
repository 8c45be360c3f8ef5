import type { QueueStores } from "../bullmq/store/queue-store.ts";
import { createEvents } from "../events.ts";
import type { Application } from "../job/define-config.ts";
import type { JobHandler } from "../job/define-job.ts";
import { INTERNAL_QUEUE } from "../job/internal-queue.ts";
import type { WorkerParts } from "./consume-queue.ts";

/** Opens the handlers of Holdfast's own jobs. Every worker runs them, whichever queues it has. */
export type OpenInternalHandlers = (application: Application, stores: QueueStores) => readonly JobHandler[];

/** They are few. */
const CONCURRENCY = 2;

/** What a worker runs Holdfast's own jobs with: they call no hooks and count in no metrics, and a stop interrupts them at once. */
export function internalParts(worker: WorkerParts, handlers: readonly JobHandler[]): WorkerParts {
  const settings = { concurrency: CONCURRENCY, limits: {}, partitions: 1 };
  return {
    ...worker,
    application: { queueSettings: new Map([[INTERNAL_QUEUE, settings]]) },
    settings: { ...worker.settings, HOLDFAST_STOP_GRACE_MS: 0 },
    handlers: new Map(handlers.map((handler) => [handler.job.type, handler])),
    events: createEvents(),
  };
}
