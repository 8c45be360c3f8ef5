import type { Environment } from "../platform/config/settings.ts";
import type { WithLogger } from "../platform/lib/logger.ts";
import type { GuardedEffect } from "./define-effect.ts";
import type { Guard } from "./guard.ts";
import type { ForeignConnection } from "./redis-url-of.ts";

export interface GuardOptions extends WithLogger {
  /** Those that it may run. */
  readonly effects: readonly GuardedEffect[];
  /**
   * An ioredis connection of yours. The guard opens one of its own to the same Redis: yours may queue and send again what must not be.
   *
   * @default `REDIS_URL`
   */
  readonly connection?: ForeignConnection;
  /** The variables. @default process.env */
  readonly env?: Environment;
}

/**
 * Opens a guard: effects at most once, without a job, a worker or a configuration file.
 *
 * @throws HoldfastError `APPLICATION_INVALID` for effects that are not valid, `CONFIG_INVALID`, `STORE_UNAVAILABLE`, `STORE_REFUSED`,
 *   `STORE_UNFIT`, `CLOCK_WRONG`, `ENCRYPTION_KEYS_DIFFER`
 * @example await using guard = await createGuard({ effects: [charge] });
 */
export async function createGuard(options: GuardOptions): Promise<Guard> {
  return await (await import("./open-guard.ts")).openGuard(options);
}
