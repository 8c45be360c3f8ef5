import type { Attempt } from "../core/job/attempt.ts";
import type { Application } from "../core/job/define-config.ts";
import type { OpenInternalHandlers } from "../core/run/internal-jobs.ts";
import { startWorker as startBareWorker, type WorkerRole } from "../core/run/start-worker.ts";
import type { WorkerOptions } from "../core/run/worker-options.ts";
import { features } from "../features/index.ts";
import type { Environment } from "../platform/config/settings.ts";
import { type ActPayload, actOnMany } from "./acts/act-on-many.ts";
import { runAct } from "./acts/run-act.ts";
import { openJobLists } from "./jobs/job-lists.ts";
import { startWorkerMetrics } from "./worker-metrics.ts";

const openInternal: OpenInternalHandlers = (application, stores) => {
  const tools = { lists: openJobLists(stores, application), stores };
  return [{ job: actOnMany, run: (attempt) => runAct(tools, attempt as Attempt<ActPayload>) }];
};

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
export function startWorker(
  application: Application,
  env?: Environment,
  options?: WorkerOptions,
): Promise<WorkerRole> {
  return startBareWorker(
    application,
    { features, openInternal, startMetrics: startWorkerMetrics },
    env,
    options,
  );
}
