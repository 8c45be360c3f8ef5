import { type Environment, readSettings } from "../config/settings.ts";
import type { Application } from "../job/define-config.ts";
import type { Running } from "../lib/running.ts";
import { openQueueStores } from "../queue/queue-store.ts";
import { connectRedis } from "../redis/connect.ts";
import { type Operator, openOperator } from "./operator.ts";

/** An operator's hand with connections of its own. */
export interface StandaloneOperator extends Operator, Running, AsyncDisposable {}

/**
 * Connects an operator to the store that the environment names.
 *
 * @param application the default export of `holdfast.config.ts`
 * @throws HoldfastError `CONFIG_INVALID`, `STORE_UNAVAILABLE`, `STORE_REFUSED`, `STORE_UNFIT`
 */
export async function createOperator(
  application: Application,
  env?: Environment,
): Promise<StandaloneOperator> {
  const settings = readSettings(env);
  const redis = await connectRedis(settings, "fail-fast");
  const operator = openOperator(application, openQueueStores(redis, settings.HOLDFAST_PREFIX), settings);
  const { stop } = redis;
  return { ...operator, stop, [Symbol.asyncDispose]: stop };
}
