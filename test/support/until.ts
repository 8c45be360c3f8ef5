import { setTimeout as sleep } from "node:timers/promises";

/** How long until it probes again: at first soon, then less often, since every probe costs processor time that all tests share. */
const pauseMs = (waitedMs: number) => (waitedMs < 1_000 ? 10 : 30);

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
  const begun = performance.now();
  for (;;) {
    const found = await probe();
    if (found) return found as Exclude<T, undefined | null | false>;
    const waitedMs = performance.now() - begun;
    if (waitedMs > timeoutMs) throw new Error(`Waited ${timeoutMs} ms in vain until ${what}`);
    await sleep(pauseMs(waitedMs));
  }
}
