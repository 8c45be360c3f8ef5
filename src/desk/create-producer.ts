import type { Application } from "../core/job/define-config.ts";
import { openProducer, type Producer } from "../core/submit/producer.ts";
import { features } from "../features/index.ts";
import type { Environment } from "../platform/config/settings.ts";
import type { WithLogger } from "../platform/lib/logger.ts";

/**
 * Connects a producer to the Redis that the environment names.
 *
 * @param application the default export of `holdfast.config.ts`
 * @param env the variables @default process.env
 * @param options where it logs
 * @throws HoldfastError `CONFIG_INVALID`, `STORE_UNAVAILABLE`, `STORE_REFUSED`, `STORE_UNFIT`, `QUEUE_CHANGED`, `CLOCK_WRONG`
 */
export async function createProducer(
  application: Application,
  env?: Environment,
  options?: WithLogger,
): Promise<Producer> {
  return await openProducer(application, features, env, options);
}
