import type { JobState } from "../queue/job-state.ts";
import { loadScript } from "../redis/script.ts";
import { SILENT_AFTER_MS } from "./heartbeat.ts";
import type { QueueStore } from "./queue-store.ts";

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

const script = loadScript(import.meta.url, "./backlog.lua");

/** Reads a queue's backlog in one step, at the same cost however long it is. */
export async function readBacklog({ client, keys }: QueueStore): Promise<Backlog> {
  const used = [
    keys.waiting,
    keys.paused,
    keys.prioritized,
    keys.delayed,
    keys.active,
    keys.completed,
    keys.failed,
    keys.doubts,
    keys.workersSeen,
  ];
  const reply = await script.run(client, used, [keys.start, SILENT_AFTER_MS]);
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
