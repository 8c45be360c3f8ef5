import { Redis } from "ioredis";

/** How many jobs Redis has for each idempotency key. */
export async function jobsPerKey(url: string): Promise<Map<string, number>> {
  const store = new Redis(url);
  const counts = new Map<string, number>();
  try {
    for await (const keys of store.scanStream({ match: "*{default}:*", count: 1_000, type: "hash" })) {
      for (const key of keys as string[]) {
        const data = await store.hget(key, "data");
        if (data === null) continue;
        const { key: idempotencyKey } = JSON.parse(data) as { key: string };
        counts.set(idempotencyKey, (counts.get(idempotencyKey) ?? 0) + 1);
      }
    }
    return counts;
  } finally {
    store.disconnect();
  }
}

/** How many keys have more than one job. */
export function duplicatesIn(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].filter((count) => count > 1).length;
}
