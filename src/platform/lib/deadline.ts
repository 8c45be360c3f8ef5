import { Abort } from "./abort.ts";

/**
 * Waits for a promise, but no longer than `ms`. Its work is not stopped, and a late failure is ignored.
 *
 * @param late makes the error thrown when the time is up
 */
export async function withDeadline<T>(work: Promise<T>, ms: number, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    // Not at once: a busy process must first read what has arrived meanwhile.
    timer = setTimeout(() => setImmediate(() => reject(late())), ms);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
    work.catch(() => {});
  }
}

/**
 * Runs work that must end in time. It is aborted with `outer`, or after `timeoutMs`; work that ignores that is no longer waited for.
 *
 * @param late makes the error for when the time is up
 * @param left called with work that may go on, because it has not ended when it was aborted, and why it was
 * @throws the reason of `outer`, or the error that `late` made
 */
export async function underDeadline<T>(
  outer: Abort,
  timeoutMs: number,
  late: () => Error,
  work: (abort: Abort) => Promise<T>,
  left?: (work: Promise<T>, reason: unknown) => void,
): Promise<T> {
  outer.throwIfAborted();
  const inner = new Abort();
  inner.abortWith(outer);
  inner.abortAfter(timeoutMs, late);
  let running: Promise<T> | undefined;
  try {
    return await new Promise<T>((resolve, reject) => {
      // Before the work: it may throw its own errors when its signal is aborted, and the reason says why.
      inner.onAbort(reject);
      running = work(inner);
      running.then(resolve, reject);
    });
  } catch (error) {
    if (running !== undefined && inner.aborted) left?.(running, inner.reason);
    throw error;
  } finally {
    inner.detach();
  }
}
