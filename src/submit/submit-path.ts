import type { Settings } from "../config/settings.ts";
import type { Application } from "../job/define-config.ts";
import { stopAll, stopOnce } from "../lib/running.ts";
import { openEpochs } from "../queue/epochs.ts";
import { requireKnownQueues } from "../queue/queue-memory.ts";
import { openQueueStores, type QueueStores } from "../queue/queue-store.ts";
import { type Clock, openClock } from "../redis/clock.ts";
import { type ConnectedRedis, connectRedis } from "../redis/connect.ts";
import { createEvents } from "../telemetry/events.ts";
import type { Logger } from "../telemetry/logger.ts";
import { createSubmitter, type Submitter } from "./submitter.ts";

/** All that a process needs to submit jobs, connected. */
export interface SubmitPath extends ConnectedRedis {
  readonly submitter: Submitter;
  readonly stores: QueueStores;
  readonly clock: Clock;
}

/**
 * Connects to the store, and builds the submit path over it.
 *
 * @throws HoldfastError `STORE_UNAVAILABLE`, `STORE_REFUSED`, `STORE_UNFIT`, `QUEUE_CHANGED`, `CLOCK_WRONG`
 */
export async function openSubmitPath(
  application: Application,
  settings: Settings,
  log?: Logger,
  events = createEvents(),
): Promise<SubmitPath> {
  const redis = await connectRedis(settings, "fail-fast", log);
  await requireKnownQueues(application, redis, settings.HOLDFAST_PREFIX);
  const clock = await openClock(redis, log);
  const { queues } = application;
  const epochs = await openEpochs({ client: redis.client, queues, settings, log });
  const stores = openQueueStores(redis, settings.HOLDFAST_PREFIX, epochs);
  const submitter = createSubmitter(application, redis, {
    prefix: settings.HOLDFAST_PREFIX,
    stores,
    retentionMs: settings.HOLDFAST_RETENTION_MS,
    epochs,
    clock,
    events,
  });
  return { ...redis, submitter, stores, clock, stop: stopOnce(() => stopAll([redis, clock, epochs])) };
}
