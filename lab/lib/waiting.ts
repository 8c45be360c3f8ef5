import { setTimeout as sleep } from "node:timers/promises";

export interface Bound {
  /** Milliseconds until it gives up. */
  readonly withinMs: number;
  /** Milliseconds between two calls of `look`. @default 50 */
  readonly everyMs?: number;
}

/** Calls `look` until it finds something. @returns what it found; undefined if the time is up */
export async function until<T>(
  look: () => Promise<T | undefined | false> | T | undefined | false,
  { withinMs, everyMs = 50 }: Bound,
): Promise<T | undefined> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) return undefined;
    await sleep(everyMs);
  }
}

/** Runs `work` on each item in order, at most `limit` at a time. */
export async function inLanes<T>(
  items: Iterable<T>,
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const remaining = items[Symbol.iterator]();
  const lane = async () => {
    for (let next = remaining.next(); !next.done; next = remaining.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: limit }, lane));
}
