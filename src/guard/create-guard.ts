import type { Guard, GuardOptions } from "./guard.ts";

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
