import type { Settings } from "../config/settings.ts";
import type { Application } from "../contract/define-config.ts";
import type { Logger } from "../observe/logger.ts";
import { type JobQueues, openQueues } from "../queue/job-queue.ts";
import { type Running, stopAll, stopOnce } from "../service/running.ts";
import type { StoreClient } from "../store/client.ts";
import { connectStore } from "../store/connect.ts";
import { createSubmitter, type Submitter } from "./submitter.ts";

/** All that a process needs to submit jobs, connected. */
export interface SubmitPath extends Running {
  readonly client: StoreClient;
  readonly queues: JobQueues;
  readonly submitter: Submitter;
}

/**
 * Connects to the store, opens the application's queues, and builds the submit path over them.
 *
 * @throws HoldfastError `STORE_UNAVAILABLE`, `STORE_UNFIT`
 */
export async function openSubmitPath(
  application: Application,
  settings: Settings,
  log?: Logger,
): Promise<SubmitPath> {
  const store = await connectStore(settings, "prompt", log);
  const queues = openQueues(settings.HOLDFAST_PREFIX, application.queues, store.client);
  const submitter = createSubmitter(application, store.client, {
    prefix: settings.HOLDFAST_PREFIX,
    retentionMs: settings.HOLDFAST_RETENTION_MS,
    durability: settings.HOLDFAST_DURABILITY,
  });
  return { client: store.client, queues, submitter, stop: stopOnce(() => stopAll([store, queues])) };
}
