/**
 * The public surface of a worker. Import it only where a worker runs: it loads BullMQ.
 *
 * @module holdfast/worker
 */

export { startWorker } from "./operate/start-worker.ts";
export type { FailedAttempt, WorkerHooks, WorkerOptions } from "./worker/hooks.ts";
export type { WorkerRole } from "./worker/start-worker.ts";
