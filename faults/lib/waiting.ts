import { setTimeout as sleep } from "node:timers/promises";

export interface Bound {
  /** Milliseconds after which waiting ends. */
  readonly withinMs: number;
  /** Milliseconds between two looks. @default 50 */
  readonly everyMs?: number;
}

/** Looks again and again until `look` finds something. @returns what it found; undefined when the time is up */
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

/** Runs `work` on each item, at most `limit` at a time, in order of the items. */
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
