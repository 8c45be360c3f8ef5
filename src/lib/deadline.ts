/**
 * Waits for a promise, but no longer than `ms`.
 *
 * The work behind the promise is not stopped, only no longer waited for; a late failure of it is ignored.
 *
 * @param late makes the error thrown when the time is up
 */
export async function withDeadline<T>(work: Promise<T>, ms: number, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), ms);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
    work.catch(() => {});
  }
}
