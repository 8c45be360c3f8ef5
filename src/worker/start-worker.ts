import { hostname } from "node:os";
import { type Environment, readSettings, type Settings } from "../config/settings.ts";
import type { Application } from "../contract/define-config.ts";
import type { JobHandler } from "../contract/define-job.ts";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { createLogger, type Logger } from "../observe/logger.ts";
import { startConsumer } from "../queue/job-consumer.ts";
import { type Running, stopOnce } from "../service/running.ts";
import type { StoreClient } from "../store/client.ts";
import { connectStore } from "../store/connect.ts";
import { runAttempt } from "./run-attempt.ts";

/**
 * Starts a worker: takes jobs from every queue of the application and runs their handlers.
 *
 * @throws HoldfastError `CONFIG_INVALID`, `APPLICATION_INVALID`, `STORE_UNAVAILABLE`, `STORE_UNFIT`
 */
export async function startWorker(application: Application, env?: Environment): Promise<Running> {
  const settings = readSettings(env);
  const log = createLogger(settings.LOG_LEVEL, "worker");
  const handlers = await loadHandlers(application);
  const store = await connectStore(settings, "patient", log);
  const consumers = application.queues.map((queue) => consume(queue, handlers, store.client, settings, log));
  log.info({ queues: application.queues, types: [...handlers.keys()] }, "worker ready");
  return {
    stop: stopOnce(async () => {
      const results = await Promise.allSettled(consumers.map((consumer) => consumer.stop()));
      for (const result of results) if (result.status === "rejected") log.warn(String(result.reason));
      await store.stop();
    }),
  };
}

function consume(
  queue: string,
  handlers: ReadonlyMap<string, JobHandler>,
  connection: StoreClient,
  settings: Settings,
  log: Logger,
): Running {
  const ageMs = settings.HOLDFAST_RETENTION_MS;
  return startConsumer(
    {
      prefix: settings.HOLDFAST_PREFIX,
      queue,
      workerName: `${hostname()}:${process.pid}`,
      connection,
      concurrency: settings.HOLDFAST_CONCURRENCY,
      lockMs: settings.HOLDFAST_LOCK_MS,
      stopGraceMs: settings.HOLDFAST_STOP_GRACE_MS,
      keepCompleted: { count: settings.HOLDFAST_KEEP_COMPLETED, ageMs },
      keepFailed: { count: settings.HOLDFAST_KEEP_FAILED, ageMs },
      onError: (error) => log.debug({ queue, reason: error.message }, "queue error"),
    },
    (job) => runAttempt(handlers, job, log),
  );
}

/** @throws HoldfastError `APPLICATION_INVALID` with a line for each job without a handler, and each handler without a job */
async function loadHandlers(application: Application): Promise<ReadonlyMap<string, JobHandler>> {
  const handlers = new Map((await application.handlers()).map((handler) => [handler.job.type, handler]));
  const faults = [
    ...[...application.jobs.keys()]
      .filter((type) => !handlers.has(type))
      .map((type) => `job "${type}": has no handler`),
    ...[...handlers.keys()]
      .filter((type) => !application.jobs.has(type))
      .map((type) => `handler "${type}": its job is not listed in jobs`),
  ];
  if (faults.length > 0) throw new HoldfastError("APPLICATION_INVALID", faults.join("\n"));
  return handlers;
}
