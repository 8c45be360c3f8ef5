import type { Settings } from "../../platform/config/settings.ts";
import type { Logger } from "../../platform/lib/logger.ts";
import { stopAll, stopOnce } from "../../platform/lib/running.ts";
import type { ConnectionMode } from "../../platform/redis/connection.ts";
import { type ConnectedQueues, connectQueues } from "../bullmq/store/connect-queues.ts";
import { createEvents, type Events } from "../events.ts";
import type { Feature } from "../feature.ts";
import { countSubmissions } from "../history/history-writer.ts";
import type { Application } from "../job/application.ts";
import { createSubmitter, type Submitter } from "./submitter.ts";

/** Everything a process needs to submit jobs, connected. */
export interface SubmitPath extends ConnectedQueues {
  readonly submitter: Submitter;
}

export interface SubmitPathOptions {
  /** @default nothing is logged */
  readonly log?: Logger | undefined;
  readonly events?: Events;
  /** @default "fail-fast" */
  readonly mode?: ConnectionMode;
  /** A guest in another process writes no files. @default "role" */
  readonly as?: "role" | "guest";
}

/** @throws HoldfastError `STORE_UNAVAILABLE`, `STORE_REFUSED`, `STORE_UNFIT`, `QUEUE_CHANGED`, `CLOCK_WRONG` */
export async function openSubmitPath(
  application: Application,
  settings: Settings,
  features: readonly Feature[],
  { log, events = createEvents(), mode = "fail-fast", as }: SubmitPathOptions = {},
): Promise<SubmitPath> {
  const queues = await connectQueues(application, settings, features, mode, log, as);
  const { stores } = queues;
  const process = { events, stores, jobs: application.jobs, log };
  const counting = countSubmissions(process);
  const parts = (await Promise.all(features.map(({ inSubmitter }) => inSubmitter?.(process) ?? []))).flat();
  const submitter = createSubmitter(application, queues, settings, events, features);
  return { ...queues, submitter, stop: stopOnce(() => stopAll([queues, counting, ...parts])) };
}
