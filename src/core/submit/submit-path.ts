import type { Settings } from "../../platform/config/settings.ts";
import type { Logger } from "../../platform/lib/logger.ts";
import { type Running, stopAll, stopOnce } from "../../platform/lib/running.ts";
import { type ConnectedQueues, connectQueues } from "../bullmq/store/connect-queues.ts";
import { createEvents } from "../events.ts";
import type { Feature, SubmittingProcess } from "../feature.ts";
import type { Application } from "../job/define-config.ts";
import { logSubmissions } from "../log-events.ts";
import { createSubmitter, type Submitter } from "./submitter.ts";

/** Everything a process needs to submit jobs, connected. */
export interface SubmitPath extends ConnectedQueues {
  readonly submitter: Submitter;
}

/** @throws HoldfastError `STORE_UNAVAILABLE`, `STORE_REFUSED`, `STORE_UNFIT`, `QUEUE_CHANGED`, `CLOCK_WRONG` */
export async function openSubmitPath(
  application: Application,
  settings: Settings,
  features: readonly Feature[],
  log?: Logger,
  events = createEvents(),
): Promise<SubmitPath> {
  if (log !== undefined) logSubmissions(events, log);
  const queues = await connectQueues(application, settings, "fail-fast", log);
  const parts = startInSubmitter(features, { events, stores: queues.stores, jobs: application.jobs });
  const submitter = createSubmitter(application, queues, settings, events);
  return { ...queues, submitter, stop: stopOnce(() => stopAll([queues, parts])) };
}

/** Starts what features run in a process that submits jobs. */
export function startInSubmitter(features: readonly Feature[], process: SubmittingProcess): Running {
  const parts = features.flatMap(({ inSubmitter }) => inSubmitter?.(process) ?? []);
  return { stop: stopOnce(() => stopAll(parts)) };
}
