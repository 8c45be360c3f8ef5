/**
 * The public surface of a worker. Import it only where a worker runs: it loads BullMQ.
 *
 * @module holdfast/worker
 */

export type { FailedAttempt, WorkerHooks, WorkerOptions } from "./core/run/hooks.ts";
export type { WorkerRole } from "./core/run/start-worker.ts";
export { startWorker } from "./desk/start-worker.ts";
