/**
 * The public surface of a worker. Import it only where a worker runs: it loads BullMQ.
 *
 * @module holdfast/worker
 */

export type { FailedAttempt, WorkerHooks, WorkerOptions } from "./core/run/worker-options.ts";
export { startWorker, type WorkerRole } from "./desk/start-worker.ts";
