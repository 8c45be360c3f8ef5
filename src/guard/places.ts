import { partitionNames, partitionOf } from "../core/bullmq/store/partitions.ts";
import type { QueueStore, QueueStores, WritableQueueStore } from "../core/bullmq/store/queue-store.ts";
import { GUARD_QUEUE } from "../core/job/internal-queue.ts";
import { startSweep } from "../core/life/start-sweep.ts";
import { type Logger, silentLogger } from "../platform/lib/logger.ts";
import { type Running, stopAll } from "../platform/lib/running.ts";
import { integer, tuple } from "../platform/redis/reply-shape.ts";
import { loadScript } from "../platform/redis/script.ts";

/** Keys are spread over so many slots of a cluster. It never changes: a key would be looked for elsewhere. */
export const PLACES = 8;

/** Where effects are known that no job runs. Each is in one slot. */
export const guardPlaces: readonly string[] = partitionNames(GUARD_QUEUE, { partitions: PLACES, former: [] });

export function placeOfKey(dedupKey: string): string {
  return partitionOf(GUARD_QUEUE, PLACES, dedupKey);
}

export function storesOfGuard<Store extends QueueStore>(stores: Pick<QueueStores<Store>, "of">): Store[] {
  return guardPlaces.map((place) => stores.of(place));
}

/** From now on this process notices when a place loses data, also before it reserves anything there. Never rejects. */
export async function watchPlaces(stores: Pick<QueueStores<WritableQueueStore>, "of">): Promise<void> {
  await Promise.allSettled(storesOfGuard(stores).map(({ epoch }) => epoch.check()));
}

/** Occupies Redis for less than a millisecond. */
const LOOKED_AT_MAX = 100;
/** As for workers. */
const FORGOTTEN_AFTER_MS = 10 * 60_000;

const script = loadScript(import.meta.url, "sweep.lua", tuple(integer, integer));

/**
 * Puts reservations in doubt whose deadline has passed, and drops what is no longer remembered. There is no leader: whoever has a guard
 * open sweeps, and workers, and whoever looks at doubts.
 *
 * @param name of a process that lives, and may have runs of effects here
 * @param keepBytes how much memory keys may take: then that is measured
 * @returns how many are in doubt now that were not before
 */
export async function sweepPlace({ client, keys }: QueueStore, name = "", keepBytes = 0): Promise<number> {
  const used = [keys.joinedJobs, keys.doubts, keys.workersSeen];
  const args = [keys.ledgerStart, keys.start, LOOKED_AT_MAX, name, FORGOTTEN_AFTER_MS, keepBytes > 0 ? 1 : 0];
  for (let found = 0; ; ) {
    const [looked, doubted] = await script.run(client, used, args);
    found += doubted;
    if (looked < LOOKED_AT_MAX) return found;
  }
}

interface SweepOptions {
  readonly everyMs?: number;
  readonly log: Logger | undefined;
  readonly keepBytes: number | undefined;
  /** For a place where this process may have runs of effects. @default none */
  readonly nameIn?: (place: string) => string | undefined;
}

/** Sweeps all places again and again, by default every 5 s. */
export function startGuardSweep(
  stores: Pick<QueueStores, "of">,
  { everyMs = 5_000, log = silentLogger, keepBytes, nameIn = () => undefined }: SweepOptions,
): Running {
  const sweeps = storesOfGuard(stores).map((store) =>
    startSweep({ store, log }, { everyMs }, async () => {
      const found = await sweepPlace(store, nameIn(store.queue), keepBytes);
      if (found > 0) log.warn({ effects: found }, "effects that no job runs are in doubt");
    }),
  );
  return { stop: async () => await stopAll(sweeps) };
}

/** How much of Redis's memory the keys of guards take, in bytes, as sweeps estimate it; 0 where none has a budget. */
export async function guardedBytes(stores: Pick<QueueStores, "of">): Promise<number> {
  const places = storesOfGuard(stores).map(async ({ client, keys }) => {
    const mean = Number((await client.get(`${keys.start}call-bytes`)) ?? 0);
    return mean * (await client.zcard(keys.joinedJobs));
  });
  return (await Promise.all(places)).reduce((sum, bytes) => sum + bytes, 0);
}
