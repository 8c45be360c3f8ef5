import { oneAtATime } from "../../platform/lib/one-at-a-time.ts";
import { type Running, stopOnce } from "../../platform/lib/running.ts";
import { text } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import type { QueueStore } from "../bullmq/store/queue-store.ts";
import type { ConsumedPartition } from "../feature.ts";
import { FORGOTTEN_AFTER_MS, HEARTBEAT_MS, SILENT_AFTER_MS } from "../job/worker-heartbeat.ts";

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
  /** Whether it has heard that it is to claim no more jobs. */
  readonly isQuiet: boolean;
  /** Of the application, by `HOLDFAST_APPLICATION_VERSION`; "" where it does not say one. */
  readonly version: string;
}

/** A version of the application, and when its first worker was seen, in milliseconds since 1970. */
export interface SeenVersion {
  readonly version: string;
  readonly at: number;
}

/** The newest ones. */
const VERSIONS_MAX = 10;
/** In heartbeats. */
const LOOKS_AROUND_EVERY = 12;

const script = loadScript(import.meta.url, "heartbeat.lua", text);

/** Sends heartbeats until stopped, then removes the worker, unless something of it goes on. */
export function startHeartbeat(
  { store, workerName, quiet, hasRunsLeft }: ConsumedPartition,
  read: () => WorkerHeartbeat,
): Running {
  const { client } = store;
  const keys = [
    store.keys.own("workers"),
    store.keys.workersSeen,
    versionsKey(store),
    quietKey(store),
    store.keys.meta,
  ] as const;
  let beats = 0;
  const beat = oneAtATime(async () => {
    const looksAround = beats % LOOKS_AROUND_EVERY === 0;
    beats += 1;
    try {
      const heartbeat = read();
      const versioned = [looksAround ? heartbeat.version : "", VERSIONS_MAX];
      const told = [heartbeat.startedAt, quiet.told()];
      const kept = [looksAround ? FORGOTTEN_AFTER_MS : "", store.keys.start];
      const args = [workerName, JSON.stringify(heartbeat), ...kept, ...versioned, ...told, SILENT_AFTER_MS];
      quiet.hear(store.queue, await script.run(client, keys, args));
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
      await Promise.all([
        client.hdel(keys[0], workerName),
        client.zrem(keys[1], workerName),
        client.hdel(quietKey(store), workerName),
      ]);
    }),
  };
}

/** The version that was first seen last; undefined where no worker says one. */
export async function readNewestVersion(store: QueueStore): Promise<SeenVersion | undefined> {
  const found = Object.entries(await store.client.hgetall(versionsKey(store)));
  const versions = found.map(([version, at]) => ({ version, at: Number(at) }));
  return versions.reduce<SeenVersion | undefined>(
    (newest, one) => (newest === undefined || one.at > newest.at ? one : newest),
    undefined,
  );
}

/** Of the workers that were told to claim no more jobs, or to go on: what they were told, as JSON. */
export function quietKey({ keys }: QueueStore): string {
  return keys.own("workers:quiet");
}

function versionsKey({ keys }: QueueStore): string {
  return keys.own("versions");
}
