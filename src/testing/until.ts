import { setTimeout as sleep } from "node:timers/promises";

const LOOK_EVERY_MS = 10;

/**
 * Waits until a condition holds.
 *
 * @param missing describes what did not happen, when the time is up
 * @returns what the condition returned
 * @throws Error with that description
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  timeoutMs: number,
  missing: () => string | Promise<string>,
): Promise<Exclude<T, false | undefined>> {
  const endAt = performance.now() + timeoutMs;
  for (;;) {
    const found = await condition();
    if (found !== false && found !== undefined) return found as Exclude<T, false | undefined>;
    if (performance.now() > endAt) throw new Error(await missing());
    await sleep(LOOK_EVERY_MS);
  }
}
