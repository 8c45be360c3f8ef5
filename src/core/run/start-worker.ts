import { hostname } from "node:os";
import { addMark } from "../../features/history/marks.ts";
import { features } from "../../features/index.ts";
import { readEnv } from "../../platform/config/application-env.ts";
import { type Environment, readSettings, requireVariables } from "../../platform/config/settings.ts";
import type { Concurrency } from "../../platform/config/variables.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { suggestion } from "../../platform/lib/did-you-mean.ts";
import type { Logger } from "../../platform/lib/logger.ts";
import { orStop, stopAll, stopOnce } from "../../platform/lib/running.ts";
import { createLogger } from "../../platform/telemetry/create-logger.ts";
import { createEvents } from "../../platform/telemetry/events.ts";
import { logAttempts, logSubmissions } from "../../platform/telemetry/log-events.ts";
import type { MeasuredRole } from "../../platform/telemetry/metrics-server.ts";
import { connectQueues } from "../bullmq/store/connect-queues.ts";
import { type Application, requiredVariables } from "../job/define-config.ts";
import { INTERNAL_QUEUE } from "../job/internal-queue.ts";
import { countSubmissions } from "../submit/count-submissions.ts";
import { createSubmitter } from "../submit/submitter.ts";
import { consumeQueue, slotsOf, type WorkerParts } from "./consume-queue.ts";
import { openHooks, type WorkerOptions, type WorkerQueues } from "./hooks.ts";
import { internalParts, type OpenInternalHandlers } from "./internal-jobs.ts";
import { loadHandlers } from "./load-handlers.ts";
import { startWorkerMetrics } from "./worker-metrics.ts";

/** A running worker. */
export interface WorkerRole extends MeasuredRole {
  /**
   * Rejects with `WORKER_STUCK` when the worker no longer receives jobs. Then nothing it does can be relied on: stop it, end
   * the process, and let a supervisor start another. If you don't handle it, Node.js ends the process.
   */
  readonly failed: Promise<never>;
}

/**
 * Starts a worker: claims jobs from every queue of the application and runs their handlers.
 *
 * @param application the default export of `holdfast.config.ts`
 * @param env the variables @default process.env
 * @param options where it logs, and what it calls
 * @param openInternal opens the handlers of Holdfast's own jobs
 * @throws HoldfastError `CONFIG_INVALID`, `APPLICATION_INVALID`, `STORE_UNAVAILABLE`, `STORE_REFUSED`, `STORE_UNFIT`,
 *   `QUEUE_CHANGED`, `CLOCK_WRONG`, `START_FAILED` when the port for its metrics is in use
 */
export async function startWorker(
  application: Application,
  env?: Environment,
  { logger, queues: only, except, ...hooks }: WorkerOptions = {},
  openInternal?: OpenInternalHandlers,
): Promise<WorkerRole> {
  const settings = readSettings(env);
  const log = logger ?? createLogger(settings.HOLDFAST_LOG_LEVEL, "worker");
  const events = createEvents();
  logAttempts(events, log);
  logSubmissions(events, log);
  const { stop: stopHooks } = openHooks(hooks, application, events, log);
  const claimed = chosenQueues(application.queues, { queues: only, except });
  checkConcurrency(settings.HOLDFAST_CONCURRENCY, application.queues);
  requireVariables(requiredVariables(application), env);
  if (application.env !== undefined) readEnv(application.env, env);
  const handlers = await loadHandlers(application);
  const queues = await connectQueues(application, settings, "retrying", log);
  const slots = new Map(claimed.map((queue) => [queue, slotsOf(queue, application, settings)]));
  const metrics = await orStop(queues, startWorkerMetrics(application, queues, slots, settings, events));
  const worker: WorkerParts = {
    name: `${hostname()}:${process.pid}`,
    application,
    settings,
    log,
    events,
    queues: { ...queues, submitter: createSubmitter(application, queues, settings, events, features) },
    handlers,
  };
  const submissions = countSubmissions(events, queues.stores, application);
  const { failed, fail } = failure();
  const consume = (queue: string, parts: WorkerParts) =>
    consumeQueue(queue, parts, () => fail(stuck(queue, settings.HOLDFAST_STUCK_AFTER_MS, log)));
  const consumers = claimed.map((queue) => consume(queue, worker));
  if (openInternal !== undefined)
    consumers.push(consume(INTERNAL_QUEUE, internalParts(worker, openInternal(application, queues.stores))));
  for (const store of claimed.map((queue) => queues.stores.of(queue)))
    void addMark(store, { kind: "started", text: "workers started", by: worker.name });
  log.info({ queues: claimed, types: [...handlers.keys()], metricsUrl: metrics?.url }, "worker ready");
  return {
    metricsUrl: metrics?.url,
    failed,
    stop: stopOnce(async () => {
      const results = await Promise.allSettled(consumers.map((consumer) => consumer.stop()));
      for (const result of results) if (result.status === "rejected") log.warn(String(result.reason));
      await stopHooks();
      await stopAll([queues, ...(metrics === undefined ? [] : [metrics]), submissions]);
    }),
  };
}

function failure() {
  let fail: (error: HoldfastError) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  return { failed, fail: (error: HoldfastError) => fail(error) };
}

function stuck(queue: string, afterMs: number, log: Logger): HoldfastError {
  const message = `Jobs wait in the queue ${queue}, and with slots free this worker claimed none for ${afterMs} ms`;
  log.fatal({ queue, code: "WORKER_STUCK" }, message);
  return new HoldfastError("WORKER_STUCK", message);
}

/** @throws HoldfastError `USAGE` for a queue that the application does not have, and if none is left */
function chosenQueues(
  queues: readonly string[],
  { queues: only = queues, except = [] }: WorkerQueues,
): string[] {
  const unknown = [...only, ...except].find((queue) => !queues.includes(queue));
  if (unknown !== undefined)
    throw new HoldfastError("USAGE", `there is no queue "${unknown}"; ${suggestion(unknown, queues)}`);
  const chosen = queues.filter((queue) => only.includes(queue) && !except.includes(queue));
  if (chosen.length === 0) throw new HoldfastError("USAGE", "no queue is left for this worker");
  return chosen;
}

/** @throws HoldfastError `CONFIG_INVALID` for a queue that no job of the application is in */
function checkConcurrency({ named }: Concurrency, queues: readonly string[]): void {
  const unknown = [...named.keys()].find((queue) => !queues.includes(queue));
  if (unknown === undefined) return;
  const expected = `expected queues of the application (${queues.join(", ")}), got "${unknown}"`;
  throw new HoldfastError("CONFIG_INVALID", `HOLDFAST_CONCURRENCY: ${expected}`);
}
