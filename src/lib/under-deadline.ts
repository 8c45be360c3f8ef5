import { Abort } from "./abort.ts";

/**
 * Runs work that must end in time.
 *
 * The work's abort comes when `outer`'s does, or after `timeoutMs`. Work that ignores it is no longer waited for: it
 * cannot be stopped, but it cannot hold its place either.
 *
 * @param late makes the error for when the time is up
 * @throws the reason of `outer`, or what `late` made
 */
export async function underDeadline<T>(
  outer: Abort,
  timeoutMs: number,
  late: () => Error,
  work: (abort: Abort) => Promise<T>,
): Promise<T> {
  outer.throwIfAborted();
  const inner = new Abort();
  const unlink = outer.onAbort((reason) => inner.abort(reason));
  const timer = setTimeout(() => inner.abort(late()), timeoutMs);
  try {
    return await new Promise<T>((resolve, reject) => {
      inner.onAbort(reject);
      work(inner).then(resolve, reject);
    });
  } catch (error) {
    // Work that heeds its signal throws errors of its own making; the reason tells why.
    throw inner.aborted ? inner.reason : error;
  } finally {
    clearTimeout(timer);
    unlink();
  }
}
