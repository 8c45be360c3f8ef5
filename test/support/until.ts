import { setTimeout as sleep } from "node:timers/promises";

/** How long until it probes again: at first soon, then less often, since every probe costs processor time that all tests share. */
const pauseMs = (waitedMs: number) => (waitedMs < 1_000 ? 10 : 30);

/**
 * Waits until a condition holds. A look that Redis did not answer in time, on a busy machine, has not found it yet.
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
    let cause: unknown;
    try {
      const found = await probe();
      if (found) return found as Exclude<T, undefined | null | false>;
    } catch (error) {
      if (!isUnanswered(error)) throw error;
      cause = error;
    }
    const waitedMs = performance.now() - begun;
    if (waitedMs > timeoutMs) throw new Error(`Waited ${timeoutMs} ms in vain until ${what}`, { cause });
    await sleep(pauseMs(waitedMs));
  }
}

function isUnanswered(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "STORE_UNAVAILABLE";
}
