// A worker inside another process: with its logger, its error tracker, and its pool of connections.
import { startWorker } from "holdfast/worker";
import { pino } from "pino";
import application from "../../holdfast.config.ts";
import { errorTracker, pool } from "./other-parts.ts";

const worker = await startWorker(application, process.env, {
  logger: pino({ name: "shop" }),
  onFailed({ error, type, jobId, willRetry }) {
    if (!willRetry) errorTracker.captureException(error, { tags: { type, jobId } });
  },
  onStop: () => pool.end(),
});

process.once("SIGTERM", () => void worker.stop());
await worker.failed; // rejects if the worker can no longer work: end the process then
