import type { Redis } from "ioredis";

/** A start of a job. */
export interface Start {
  readonly id: string;
  /** When it was claimed, by Redis's clock, in milliseconds since 1970. */
  readonly at: number;
}

/**
 * Reads the starts of jobs from a queue's events, in order: BullMQ adds one as a job is claimed, and Redis gives it its time.
 *
 * @param events the key of the stream, which keeps the latest 10,000
 */
export async function startsOf(store: Redis, events: string, ids?: readonly string[]): Promise<Start[]> {
  const entries = await store.xrange(events, "-", "+");
  const wanted = ids && new Set(ids);
  return entries.flatMap(([entry, fields]) => {
    const id = fields[fields.indexOf("jobId") + 1] ?? "";
    const isStart = fields[fields.indexOf("event") + 1] === "active";
    return isStart && wanted?.has(id) !== false ? [{ id, at: Number(entry.split("-")[0]) }] : [];
  });
}

/** How many of these starts, in order, lie in one window of so many milliseconds, at most. */
export function mostStartsIn(starts: readonly Start[], windowMs: number): number {
  let [most, first] = [0, 0];
  for (const [last, { at }] of starts.entries()) {
    while (at - (starts[first]?.at ?? at) >= windowMs) first += 1;
    most = Math.max(most, last - first + 1);
  }
  return most;
}
