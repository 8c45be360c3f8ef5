/**
 * Runs work that must end in time.
 *
 * The work's signal is aborted when `outer` is, or after `timeoutMs`. Work that ignores its signal is no longer waited
 * for: it cannot be stopped, but it cannot hold its place either.
 *
 * @param late makes the error for when the time is up
 * @throws the reason of `outer`, or what `late` made
 */
export async function underDeadline<T>(
  outer: AbortSignal,
  timeoutMs: number,
  late: () => Error,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  outer.throwIfAborted();
  const controller = new AbortController();
  const abortWithOuter = () => controller.abort(outer.reason);
  outer.addEventListener("abort", abortWithOuter, { once: true });
  const timer = setTimeout(() => controller.abort(late()), timeoutMs);
  try {
    return await Promise.race([work(controller.signal), rejectionOf(controller.signal)]);
  } catch (error) {
    // Work that heeds its signal throws errors of its own making; the reason tells why.
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    clearTimeout(timer);
    outer.removeEventListener("abort", abortWithOuter);
  }
}

function rejectionOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
