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
