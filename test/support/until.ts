import { setTimeout as sleep } from "node:timers/promises";

const EVERY_MS = 10;

/**
 * Waits until a condition holds.
 *
 * @param what completes "waited in vain until …"
 * @param probe returns what the test waits for; anything falsy means not yet
 * @returns the probe's result
 */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  timeoutMs = 60_000,
): Promise<Exclude<T, undefined | null | false>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await probe();
    if (found) return found as Exclude<T, undefined | null | false>;
    if (performance.now() > deadline) throw new Error(`Waited ${timeoutMs} ms in vain until ${what}`);
    await sleep(EVERY_MS);
  }
}
