/**
 * The public surface of a worker. Import it only where a worker runs: it loads BullMQ.
 *
 * @module holdfast/worker
 */

export type { WorkerRole } from "./core/run/start-worker.ts";
export type { WorkerOptions } from "./core/run/worker-options.ts";
export { startWorker } from "./desk/start-worker.ts";
export type { FailedAttempt, WorkerHooks } from "./features/hooks/feature.ts";
