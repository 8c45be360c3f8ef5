import { oneAtATime } from "../../platform/lib/one-at-a-time.ts";
import { loadScript } from "../../platform/redis/script.ts";
import type { QueueStore } from "./store/queue-store.ts";

/** When a key gives a sweep something to do. */
export interface DueKey {
  readonly key: string;
  /** A sorted set's first score, in milliseconds since 1970, must be so many milliseconds ago. @default any entry will do */
  readonly afterMs?: number;
}

/** Watches keys of a queue. Returns a function that says whether any of them may give a sweep something to do now. */
export type WatchDue = (...keys: readonly DueKey[]) => () => Promise<boolean>;

/** Sweeps of one second that do not ask at the very same moment share an answer. */
const SHARED_MS = 200;

const script = loadScript(import.meta.url, "due-sweeps.lua");

/** Asks Redis once for all sweeps of a second: while nothing is due, a queue costs one command a second. */
export function openDueSweeps({ client }: QueueStore): WatchDue {
  const watched: DueKey[] = [];
  let askedAt = Number.NEGATIVE_INFINITY;
  let due: readonly unknown[] = [];
  const look = oneAtATime(async () => {
    const startedAt = performance.now();
    const ages = watched.map(({ afterMs = "any" }) => afterMs);
    const keys = watched.map(({ key }) => key);
    due = (await script.run(client, keys, ages)) as readonly unknown[];
    askedAt = startedAt;
  });
  return (...keys) => {
    const first = watched.length;
    watched.push(...keys);
    return async () => {
      if (performance.now() - askedAt > SHARED_MS) await look();
      return due.slice(first, first + keys.length).includes(1);
    };
  };
}
