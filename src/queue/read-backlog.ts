import type { JobState } from "../queue/job-state.ts";
import { nowLua } from "../redis/includes.ts";
import { loadScript } from "../redis/script.ts";
import { SILENT_AFTER_MS } from "./heartbeat.ts";
import { encodingsLua } from "./includes.ts";
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

const script = loadScript(import.meta.url, "backlog.lua", nowLua, encodingsLua);

/** Reads a queue's backlog in one step, at the same cost however long it is. */
export async function readBacklog({ client, keys }: QueueStore): Promise<Backlog> {
  const args = [keys.start, SILENT_AFTER_MS];
  const reply = await script.run(client, [keys.doubts, keys.workersSeen], args);
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

/** BullMQ's score of a due time is milliseconds × 4096; see encodings.lua. */
const DUE_SCALE = 4096;

/** Counts delayed jobs that were due before an instant, in milliseconds since 1970. */
export async function countOverdue({ client, keys }: QueueStore, before: number): Promise<number> {
  return await client.zcount(keys.delayed, "-inf", before * DUE_SCALE);
}
