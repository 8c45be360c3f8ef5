/**
 * The public surface of a worker. Import it only where a worker runs: it loads BullMQ.
 *
 * @module holdfast/worker
 */

export type { WorkerOptions } from "./core/run/worker-options.ts";
export { startWorker, type WorkerRole } from "./desk/start-worker.ts";
export type { FailedAttempt, WorkerHooks } from "./features/hooks/feature.ts";
