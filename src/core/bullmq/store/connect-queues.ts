import type { Settings } from "../../../platform/config/settings.ts";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import type { Logger } from "../../../platform/lib/logger.ts";
import { orStop, stopAll, stopOnce } from "../../../platform/lib/running.ts";
import { keepNodes } from "../../../platform/redis/cluster/node-file.ts";
import { connectRedis, type FitRedis, redisUrl } from "../../../platform/redis/connect.ts";
import type { ConnectionMode, RedisConnection } from "../../../platform/redis/connection.ts";
import { type KeysInUse, openKeysInUse } from "../../../platform/redis/encryption/keys-in-use.ts";
import { type Clock, openClock } from "../../../platform/redis/fitness/clock.ts";
import { type Fitness, watchFitness } from "../../../platform/redis/fitness/fitness.ts";
import { type Application, type DividedCheck, dividedFaults } from "../../job/application.ts";
import { type Epochs, openEpochs } from "./epochs.ts";
import { openWritableQueueStores, type QueueStores, type WritableQueueStore } from "./queue-store.ts";

/** What a feature checks of an application against what Redis knows. */
export interface ApplicationCheck extends DividedCheck {
  /** @throws HoldfastError, and the process does not start */
  readonly requireFit?: (application: Application, client: RedisConnection, prefix: string) => Promise<void>;
}

/** The queues of an application, for a process that adds jobs to them or runs their jobs. */
export interface ConnectedQueues extends FitRedis {
  readonly clock: Clock;
  readonly fitness: Fitness;
  readonly keysInUse: KeysInUse;
  readonly epochs: Epochs;
  readonly stores: QueueStores<WritableQueueStore>;
}

/**
 * @param checks of what Redis knows
 * @param as a guest in another process writes no files
 * @throws HoldfastError `STORE_UNAVAILABLE`, `STORE_REFUSED`, `STORE_UNFIT`, `QUEUE_CHANGED`, `CLOCK_WRONG`,
 *   `ENCRYPTION_KEYS_DIFFER`,
 *   `APPLICATION_INVALID` for a limit for each key in a queue that has partitions
 */
export async function connectQueues(
  application: Application,
  configured: Settings,
  checks: readonly ApplicationCheck[],
  mode: ConnectionMode,
  log?: Logger,
  as: "role" | "guest" = "role",
): Promise<ConnectedQueues> {
  const { HOLDFAST_PREFIX: prefix } = configured;
  const redis = await connectRedis(configured, mode, log);
  const settings = { ...configured, HOLDFAST_DURABILITY: redis.durability };
  for (const { requireFit } of checks) await orStop(redis, requireFit?.(application, redis.client, prefix));
  const clock = await openClock(redis, log);
  const fitness = watchFitness(redis.client, settings, log);
  const keysInUse = await openKeysInUse(redis, settings, log);
  const isKept = log !== undefined && as === "role";
  const epochs = await openEpochs(redis.client, application, settings, log, isKept);
  const nodes = isKept ? [keepNodes(redis.client, settings.HOLDFAST_DATA_DIR, redisUrl(settings), log)] : [];
  const stop = stopOnce(() => stopAll([redis, clock, fitness, keysInUse, epochs, ...nodes]));
  await requireUndivided(application, checks, epochs, stop);
  const stores = openWritableQueueStores(redis, prefix, epochs, fitness);
  return { ...redis, clock, fitness, keysInUse, epochs, stores, stop };
}

/** A queue can be divided after its application was declared. */
async function requireUndivided(
  { jobs }: Application,
  checks: readonly ApplicationCheck[],
  { layouts }: Epochs,
  stop: () => Promise<void>,
): Promise<void> {
  const faults = dividedFaults(checks, jobs.values(), (queue) => layouts.of(queue).partitions);
  if (faults.length === 0) return;
  await stop();
  throw new HoldfastError("APPLICATION_INVALID", faults.join("\n"));
}
