import { Abort } from "./abort.ts";

/**
 * Runs work that must end in time. It is aborted with `outer`, or after `timeoutMs`; work that ignores that is no longer waited for.
 *
 * @param late makes the error for when the time is up
 * @throws the reason of `outer`, or the error that `late` made
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
    // Work that heeds its signal throws its own errors; the reason says why.
    throw inner.aborted ? inner.reason : error;
  } finally {
    clearTimeout(timer);
    unlink();
  }
}
