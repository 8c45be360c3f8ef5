import { hostname } from "node:os";
import { createEvents } from "../core/events.ts";
import type { FeatureInWorker, WorkerProcess } from "../core/feature.ts";
import { addMark } from "../core/history/marks.ts";
import type { Application } from "../core/job/application.ts";
import type { Attempt } from "../core/job/attempt.ts";
import type { JobHandler } from "../core/job/contract.ts";
import { INTERNAL_QUEUE } from "../core/job/internal-queue.ts";
import { declareQueue } from "../core/life/control-sweep.ts";
import { consumeQueue, slotsOf, type WorkerParts } from "../core/run/consume-queue.ts";
import { callHook, openHooks, untilHooksEnd } from "../core/run/hook.ts";
import type { WorkerOptions, WorkerQueues } from "../core/run/worker-options.ts";
import { openSubmitPath } from "../core/submit/submit-path.ts";
import { watchOutgoing } from "../evidence/outgoing/watch-outgoing.ts";
import { features } from "../features/index.ts";
import { startGuardSweep } from "../guard/places.ts";
import { readEnv } from "../platform/config/application-env.ts";
import { type Environment, readSettings, requireVariables } from "../platform/config/settings.ts";
import type { Concurrency } from "../platform/config/variables.ts";
import { HoldfastError } from "../platform/errors/holdfast-error.ts";
import { suggestion } from "../platform/lib/did-you-mean.ts";
import { orStop, type Running, stopAll, stopOnce } from "../platform/lib/running.ts";
import { watchUnhandled } from "../platform/lib/stray-rejections.ts";
import { createLogger } from "../platform/telemetry/create-logger.ts";
import { type ActPayload, actOnMany } from "./acts/act-on-many.ts";
import { sweepRetried } from "./acts/retried-jobs.ts";
import { runAct } from "./acts/run-act.ts";
import { measureAttempts, measureEffects } from "./job-metrics.ts";
import { openJobLists } from "./jobs/job-lists.ts";
import { loadHandlers } from "./load-handlers.ts";
import { metricDefinitions } from "./metric-definitions.ts";
import { openDelivery } from "./notices/deliver-notices.ts";
import { requiredVariables } from "./required-variables.ts";
import { type MeasuredRole, serveMetrics } from "./role-metrics.ts";

/** A running worker. */
export interface WorkerRole extends MeasuredRole {
  /**
   * Rejects with `WORKER_STUCK` when the worker no longer receives jobs. Then nothing it does can be relied on: stop it, end
   * the process, and let a supervisor start another. If you don't handle it, Node.js ends the process.
   */
  readonly failed: Promise<never>;
}

/**
 * Starts a worker: claims jobs from every queue of the application and runs their handlers, and the acts on many jobs that operators
 * start.
 *
 * @param application the default export of `holdfast.config.ts`
 * @param env the variables @default process.env
 * @param options where it logs, and what it calls
 * @throws HoldfastError `CONFIG_INVALID`, `APPLICATION_INVALID`, `STORE_UNAVAILABLE`, `STORE_REFUSED`, `STORE_UNFIT`,
 *   `QUEUE_CHANGED`, `CLOCK_WRONG`, `START_FAILED` when the port for its metrics is in use
 */
export async function startWorker(
  application: Application,
  env?: Environment,
  options: WorkerOptions = {},
): Promise<WorkerRole> {
  const settings = readSettings(env);
  const log = options.logger ?? createLogger(settings.HOLDFAST_LOG_LEVEL, "worker");
  const events = createEvents();
  const claimed = chosenQueues(application.queues, options);
  const stopApplication = () => callHook("onStop", () => application.onStop?.(), log);
  const loaded = { stop: () => untilHooksEnd(stopApplication(), log) };
  checkConcurrency(settings.HOLDFAST_CONCURRENCY, application.queues);
  requireVariables(requiredVariables(application), env);
  if (application.env !== undefined) readEnv(application.env, env);
  const delivery = openDelivery(application, env);
  const modules = await Promise.all(features.map((feature) => feature.inWorker?.()));
  const inWorker = [...modules.flatMap((module) => module?.inWorker ?? []), sweepRetried];
  watchOutgoing();
  const handlers = await orStop(loaded, loadHandlers(application));
  const connecting = openSubmitPath(application, settings, features, { log, events, mode: "retrying" });
  const path = await orStop(loaded, connecting);
  const { stores } = path;
  const serving = serveMetrics({ application, connected: path, settings, events }, (metrics) => {
    measureAttempts(events, metrics, application.jobs);
    measureEffects(events, metrics, application.jobs.values());
    const slots = metrics.of(metricDefinitions).gauge("holdfast_worker_slots");
    for (const queue of claimed) slots.labels(queue).set(slotsOf(queue, application, settings));
  });
  const metrics = await orStop(loaded, orStop(path, serving));
  const worker: WorkerParts = {
    name: `${hostname()}:${process.pid}`,
    application,
    settings,
    log,
    events,
    queues: path,
    handlers,
    inWorker,
  };
  const { failed, fail } = failure();
  const consumers = claimed.map((queue) => consumeQueue(queue, worker, fail));
  consumers.push(consumeQueue(INTERNAL_QUEUE, internalParts(worker, application), fail));
  consumers.push(...delivery(worker, fail));
  const running = { application, settings, stores, events, log, options, queues: claimed };
  const parts = startBeside(running, inWorker);
  for (const store of claimed.map(stores.of))
    void addMark(store, { kind: "started", text: "workers started", by: worker.name });
  log.info({ queues: claimed, types: [...handlers.keys()], metricsUrl: metrics?.url }, "worker ready");
  return {
    metricsUrl: metrics?.url,
    failed,
    stop: stopOnce(async () => {
      const results = await Promise.allSettled(consumers.map((consumer) => consumer.stop()));
      for (const result of results) if (result.status === "rejected") log.warn(String(result.reason));
      await stopAll([path, ...(metrics === undefined ? [] : [metrics]), loaded, ...parts]);
    }),
  };
}

const UNHANDLED = "a handler did not wait for what has failed";

/** Whoever has a guard open, or looks at doubts, sweeps sooner. */
const GUARD_SWEEP_EVERY_MS = 60_000;

/** What a worker runs beside its queues. */
function startBeside(
  worker: WorkerProcess,
  inWorker: readonly FeatureInWorker[],
): readonly Partial<Running>[] {
  const { queues, stores, log, settings } = worker;
  for (const queue of queues) declareQueue(queue, worker);
  return [
    watchUnhandled((what) => log.error({ what }, UNHANDLED)),
    startGuardSweep(stores, { everyMs: GUARD_SWEEP_EVERY_MS, log, keepBytes: settings.HOLDFAST_KEEP_BYTES }),
    openHooks(worker),
    ...inWorker.flatMap(({ inProcess }) => inProcess?.(worker) ?? []),
  ];
}

/** Holdfast's own jobs are few. */
const INTERNAL_CONCURRENCY = 2;

/**
 * What a worker runs Holdfast's own jobs with, whichever queues it has: they call no hooks and count in no metrics, and a stop interrupts
 * them at once.
 */
function internalParts(worker: WorkerParts, application: Application): WorkerParts {
  const { stores } = worker.queues;
  const tools = { lists: openJobLists(stores, application), stores };
  const run: JobHandler["run"] = (attempt) => runAct(tools, attempt as Attempt<ActPayload>);
  const queue = { concurrency: INTERNAL_CONCURRENCY, limits: {}, partitions: 1 };
  return {
    ...worker,
    application: { queueSettings: new Map([[INTERNAL_QUEUE, queue]]) },
    settings: { ...worker.settings, HOLDFAST_STOP_GRACE_MS: 0 },
    handlers: new Map([[actOnMany.type, { job: actOnMany, run }]]),
    events: createEvents(),
  };
}

function failure() {
  let fail: (error: unknown) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  return { failed, fail };
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
