import { oneAtATime } from "../../platform/lib/one-at-a-time.ts";
import { loadScript } from "../../platform/redis/script.ts";
import type { QueueStore } from "./store/queue-store.ts";

export type SweepName = "ledgers" | "lanes" | "parents" | "expired";

/** Whether a sweep of a queue may have something to do now. */
export type IsDue = (sweep: SweepName) => Promise<boolean>;

/** Sweeps of one second that do not ask at the very same moment share an answer. */
const SHARED_MS = 200;

const script = loadScript(import.meta.url, "due-sweeps.lua");

/**
 * Asks Redis once for all sweeps of a second: while nothing is due, a queue costs one command a second.
 *
 * @param retentionMs how long an ended job is kept
 */
export function openDueSweeps({ client, keys }: QueueStore, retentionMs: number): IsDue {
  const used = [
    keys.joinedJobs,
    keys.newLedgers,
    keys.lanes,
    keys["waiting-children"],
    keys.completed,
    keys.failed,
  ];
  let askedAt = Number.NEGATIVE_INFINITY;
  let due: ReadonlySet<unknown> = new Set();
  const look = oneAtATime(async () => {
    const startedAt = performance.now();
    due = new Set((await script.run(client, used, [retentionMs])) as readonly string[]);
    askedAt = startedAt;
  });
  return async (sweep) => {
    if (performance.now() - askedAt > SHARED_MS) await look();
    return due.has(sweep);
  };
}
