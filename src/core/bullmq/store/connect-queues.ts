import type { Settings } from "../../../platform/config/settings.ts";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import type { Logger } from "../../../platform/lib/logger.ts";
import { type Running, stopAll, stopOnce } from "../../../platform/lib/running.ts";
import { keepNodes } from "../../../platform/redis/cluster/node-file.ts";
import { connectRedis, type FitRedis, redisUrl } from "../../../platform/redis/connect.ts";
import type { ConnectionMode } from "../../../platform/redis/connection.ts";
import { type KeysInUse, openKeysInUse } from "../../../platform/redis/encryption/keys-in-use.ts";
import { type Clock, openClock } from "../../../platform/redis/fitness/clock.ts";
import { type Fitness, watchFitness } from "../../../platform/redis/fitness/fitness.ts";
import { startRetrying } from "../../../platform/redis/start-retrying.ts";
import { type Application, type DividedCheck, dividedFaults } from "../../job/application.ts";
import { type Epochs, openEpochs } from "./epochs.ts";
import { requireKnownQueues } from "./queue-memory.ts";
import { openWritableQueueStores, type QueueStores, type WritableQueueStore } from "./queue-store.ts";

/** The queues of an application, for a process that adds jobs to them or runs their jobs. */
export interface ConnectedQueues extends FitRedis {
  readonly clock: Clock;
  readonly fitness: Fitness;
  readonly keysInUse: KeysInUse;
  readonly epochs: Epochs;
  readonly stores: QueueStores<WritableQueueStore>;
}

/**
 * @param checks of queues that are divided
 * @param as a guest in another process writes no files
 * @throws HoldfastError `STORE_UNAVAILABLE`, `STORE_REFUSED`, `STORE_UNFIT`, `QUEUE_CHANGED`, `CLOCK_WRONG`,
 *   `ENCRYPTION_KEYS_DIFFER`,
 *   `APPLICATION_INVALID` for a limit for each key in a queue that has partitions
 */
export function connectQueues(
  application: Application,
  configured: Settings,
  checks: readonly DividedCheck[],
  mode: ConnectionMode,
  log?: Logger,
  as: "role" | "guest" = "role",
): Promise<ConnectedQueues> {
  const connectOnce = () => connectAll(application, configured, checks, mode, log, as);
  return startRetrying(redisUrl(configured), connectOnce, as === "role" ? log : undefined);
}

async function connectAll(
  ...[application, configured, checks, mode, log, as]: Parameters<typeof connectQueues>
): Promise<ConnectedQueues> {
  const { HOLDFAST_PREFIX: prefix } = configured;
  const started: Running[] = [];
  const begun = <T extends Running>(part: T): T => {
    started.push(part);
    return part;
  };
  try {
    const redis = begun(await connectRedis(configured, mode, log));
    const settings = { ...configured, HOLDFAST_DURABILITY: redis.durability };
    await requireKnownQueues(application, redis.client, prefix);
    const clock = begun(await openClock(redis, log));
    const fitness = begun(watchFitness(redis.client, settings, log));
    const keysInUse = begun(await openKeysInUse(redis, settings, log));
    const isKept = log !== undefined && as === "role";
    const epochs = begun(await openEpochs(redis.client, application, settings, log, isKept));
    if (isKept) begun(keepNodes(redis.client, settings.HOLDFAST_DATA_DIR, redisUrl(settings), log));
    requireUndivided(application, checks, epochs);
    const stores = openWritableQueueStores(redis, prefix, epochs, fitness);
    return { ...redis, clock, fitness, keysInUse, epochs, stores, stop: stopOnce(() => stopAll(started)) };
  } catch (error) {
    await stopAll(started).catch(() => {});
    throw error;
  }
}

/** A queue can be divided after its application was declared. */
function requireUndivided({ jobs }: Application, checks: readonly DividedCheck[], { layouts }: Epochs): void {
  const faults = dividedFaults(checks, jobs.values(), (queue) => layouts.of(queue).partitions);
  if (faults.length > 0) throw new HoldfastError("APPLICATION_INVALID", faults.join("\n"));
}
