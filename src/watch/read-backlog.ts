import { SILENT_AFTER_MS } from "../queue/heartbeat.ts";
import type { JobState } from "../status/job-status.ts";
import type { StoreClient } from "../store/client.ts";
import { doubtsKey, queueKey, workersSeenKey } from "../store/keys.ts";
import { loadScript } from "../store/script.ts";

/** How much of everything a queue holds. */
export interface Backlog {
  /** Of jobs that have ended, those that are kept. */
  readonly jobs: Readonly<Record<JobState, number>>;
  /** Workers that gave a sign of life lately. */
  readonly workers: number;
  /** For how many milliseconds the next job in line might have run already; 0 where none waits. */
  readonly oldestWaitingMs: number;
  /** Effects in doubt, and for how many milliseconds the oldest has been so; 0 where there is none. */
  readonly doubts: number;
  readonly oldestDoubtMs: number;
}

const script = loadScript(import.meta.url, "backlog.lua");
const lists = ["wait", "paused", "prioritized", "delayed", "active", "completed", "failed"];

/** Reads a queue's backlog in one step, at the same cost however long it is. */
export async function readBacklog(client: StoreClient, prefix: string, queue: string): Promise<Backlog> {
  const keys = [
    ...lists.map((list) => queueKey(prefix, queue, list)),
    doubtsKey(prefix, queue),
    workersSeenKey(prefix, queue),
  ];
  const reply = await script.run(client, keys, [queueKey(prefix, queue, ""), SILENT_AFTER_MS]);
  const [waiting, prioritized, delayed, active, completed, failed, workers, doubts, waitingMs, doubtMs] =
    reply as Numbers;
  return {
    jobs: { waiting, prioritized, delayed, active, completed, failed },
    workers,
    oldestWaitingMs: waitingMs,
    doubts,
    oldestDoubtMs: doubtMs,
  };
}

type Numbers = [number, number, number, number, number, number, number, number, number, number];
