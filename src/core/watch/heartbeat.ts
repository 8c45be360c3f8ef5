import { oneAtATime } from "../../platform/lib/one-at-a-time.ts";
import { type Running, stopOnce } from "../../platform/lib/running.ts";
import { ok } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import type { ConsumedPartition } from "../feature.ts";
import { FORGOTTEN_AFTER_MS, HEARTBEAT_MS } from "../job/worker-heartbeat.ts";

/** What a worker reports of itself. Jobs are protected by their locks; from this, operators see whether the run of a doubt may still be under way. */
export interface WorkerHeartbeat {
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly concurrency: number;
  /** How many jobs it runs, in all partitions of the queue. */
  readonly running: number;
  /** When it last claimed a job, in milliseconds since 1970; null before the first. */
  readonly claimedAt: number | null;
  /** Milliseconds by which its clock is ahead of Redis's. */
  readonly clockOffsetMs: number;
  /** How long it may claim nothing while jobs wait, before it counts as stuck. */
  readonly stuckAfterMs: number;
}

/** In heartbeats. */
const FORGETS_EVERY = 12;

const script = loadScript(import.meta.url, "heartbeat.lua", ok);

/** Sends heartbeats until stopped, then removes the worker, unless something of it goes on. */
export function startHeartbeat(
  { store, workerName, hasRunsLeft }: ConsumedPartition,
  read: () => WorkerHeartbeat,
): Running {
  const { client } = store;
  const keys = [store.keys.own("workers"), store.keys.workersSeen] as const;
  let beats = 0;
  const beat = oneAtATime(async () => {
    const forgottenAfter = beats % FORGETS_EVERY === 0 ? FORGOTTEN_AFTER_MS : "";
    beats += 1;
    try {
      await script.run(client, keys, [workerName, JSON.stringify(read()), forgottenAfter, store.keys.start]);
    } catch {
      // The connection's owner reports errors; the next heartbeat comes soon.
    }
  });

  const timer = setInterval(() => void beat(), HEARTBEAT_MS);
  void beat();
  return {
    stop: stopOnce(async () => {
      clearInterval(timer);
      if (client.status !== "ready" || hasRunsLeft()) return;
      await Promise.all([client.hdel(keys[0], workerName), client.zrem(keys[1], workerName)]);
    }),
  };
}
