import type { ConsumedPartition } from "../../core/feature.ts";
import { oneAtATime } from "../../platform/lib/one-at-a-time.ts";
import { loadScript } from "../../platform/redis/script.ts";

/** When a key gives a sweep something to do. */
export interface DueKey {
  readonly key: string;
  /** A sorted set's first score, in milliseconds since 1970, must be so many milliseconds ago. @default any entry will do */
  readonly afterMs?: number;
}

/** Sweeps of one second that do not ask at the very same moment share an answer. */
const SHARED_MS = 200;

const script = loadScript(import.meta.url, "due-sweeps.lua");

type Watched = Pick<ConsumedPartition, "store">;

interface DueSweeps {
  readonly watched: DueKey[];
  readonly look: () => Promise<readonly unknown[]>;
}

const partitions = new WeakMap<Watched, DueSweeps>();

/**
 * Watches keys of a partition. Asks Redis once for all sweeps of a second: while nothing is due, a queue costs one command a second.
 *
 * @returns a function that returns whether any of the keys may give a sweep something to do now
 */
export function watchDue(partition: Watched, keys: readonly DueKey[]): () => Promise<boolean> {
  const { watched, look } = partitions.get(partition) ?? openDueSweeps(partition);
  const first = watched.length;
  watched.push(...keys);
  return async () => (await look()).slice(first, first + keys.length).includes(1);
}

function openDueSweeps(partition: Watched): DueSweeps {
  const watched: DueKey[] = [];
  let askedAt = Number.NEGATIVE_INFINITY;
  let due: readonly unknown[] = [];
  const ask = oneAtATime(async () => {
    const startedAt = performance.now();
    const ages = watched.map(({ afterMs = "any" }) => afterMs);
    const keys = watched.map(({ key }) => key);
    due = (await script.run(partition.store.client, keys, ages)) as readonly unknown[];
    askedAt = startedAt;
  });
  const opened: DueSweeps = {
    watched,
    async look() {
      if (performance.now() - askedAt > SHARED_MS) await ask();
      return due;
    },
  };
  partitions.set(partition, opened);
  return opened;
}
