import type { Settings } from "../config/settings.ts";
import type { Application } from "../job/define-config.ts";
import { stopAll, stopOnce } from "../lib/running.ts";
import { type Clock, openClock } from "../redis/clock.ts";
import { type ConnectedRedis, connectRedis } from "../redis/connect.ts";
import type { ConnectionMode } from "../redis/connection.ts";
import type { Logger } from "../telemetry/logger.ts";
import { type Epochs, openEpochs } from "./epochs.ts";
import { requireKnownQueues } from "./queue-memory.ts";
import { openWritableQueueStores, type QueueStores, type WritableQueueStore } from "./queue-store.ts";

/** The queues of an application, for a process that adds jobs to them or runs their jobs. */
export interface ConnectedQueues extends ConnectedRedis {
  readonly clock: Clock;
  readonly epochs: Epochs;
  readonly stores: QueueStores<WritableQueueStore>;
}

/**
 * @param as a guest in another process writes no files
 * @throws HoldfastError `STORE_UNAVAILABLE`, `STORE_REFUSED`, `STORE_UNFIT`, `QUEUE_CHANGED`, `CLOCK_WRONG`
 */
export async function connectQueues(
  application: Application,
  settings: Settings,
  mode: ConnectionMode,
  log?: Logger,
  as: "role" | "guest" = "role",
): Promise<ConnectedQueues> {
  const { HOLDFAST_PREFIX: prefix } = settings;
  const redis = await connectRedis(settings, mode, log);
  await requireKnownQueues(application, redis, prefix);
  const clock = await openClock(redis, log);
  const epochs = await openEpochs({
    client: redis.client,
    queues: application.queues,
    declared: application.queueSettings,
    settings,
    log,
    isKept: log !== undefined && as === "role",
  });
  const stores = openWritableQueueStores(redis, prefix, epochs);
  return { ...redis, clock, epochs, stores, stop: stopOnce(() => stopAll([redis, clock, epochs])) };
}
