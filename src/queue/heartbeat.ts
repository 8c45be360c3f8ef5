import { oneAtATime } from "../lib/one-at-a-time.ts";
import { type Running, stopOnce } from "../lib/running.ts";
import { nowLua } from "../redis/includes.ts";
import { loadScript } from "../redis/script.ts";
import type { QueueStore } from "./queue-store.ts";

/** What a worker tells of itself, for those who watch. Nothing rests on it: jobs are held by their locks. */
export interface WorkerHeartbeat {
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly concurrency: number;
  /** How many jobs it is at. */
  readonly running: number;
  /** When it took a job last, in milliseconds since 1970; null before the first. */
  readonly claimedAt: number | null;
  /** Milliseconds by which its clock is ahead of Redis's. */
  readonly clockOffsetMs: number;
  /** For how long it may take nothing while jobs wait, before it counts as stuck. */
  readonly stuckAfterMs: number;
}

/** How often a worker gives a sign of life. */
const HEARTBEAT_MS = 5_000;
/** Three signs missed: it is gone, or cannot reach the store. */
export const SILENT_AFTER_MS = 3 * HEARTBEAT_MS;
/** After how long a silent worker is forgotten: time enough for an operator to see that it went silent. */
const FORGOTTEN_AFTER_MS = 10 * 60_000;

const script = loadScript(import.meta.url, "heartbeat.lua", nowLua);

/**
 * Gives signs of life until stopped, then takes leave.
 *
 * @param sign read at each beat
 */
export function startHeartbeat(store: QueueStore, workerName: string, sign: () => WorkerHeartbeat): Running {
  const { client } = store;
  const keys = [store.keys.workers, store.keys.workersSeen] as const;
  const beat = oneAtATime(async () => {
    try {
      await script.run(client, keys, [workerName, JSON.stringify(sign()), FORGOTTEN_AFTER_MS]);
    } catch {
      // The connection's owner hears of its errors; the next beat comes soon.
    }
  });

  const timer = setInterval(() => void beat(), HEARTBEAT_MS);
  void beat();
  return {
    stop: stopOnce(async () => {
      clearInterval(timer);
      if (client.status !== "ready") return;
      await Promise.all([client.hdel(keys[0], workerName), client.zrem(keys[1], workerName)]);
    }),
  };
}
