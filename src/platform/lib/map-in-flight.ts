/**
 * Maps in order, with at most `limit` calls at a time.
 *
 * @throws what a call throws first; then no further ones begin
 */
export async function mapInFlight<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const remaining = items.entries();
  let hasFailed = false;
  const lane = async () => {
    for (const [index, item] of remaining) {
      if (hasFailed) return;
      results[index] = await work(item, index);
    }
  };
  const failing = (error: unknown) => {
    hasFailed = true;
    throw error;
  };
  await Promise.all(Array.from({ length: limit }, () => lane().catch(failing)));
  return results;
}
