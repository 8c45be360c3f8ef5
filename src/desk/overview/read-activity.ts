import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { FORGOTTEN_AFTER_MS } from "../../core/job/worker-heartbeat.ts";
import { quietKey } from "../../core/watch/heartbeat.ts";
import { json } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";

/** A queue's activity. Times are milliseconds since 1970. */
export type Activity = Awaited<ReturnType<typeof readActivity>>;

const RATE_WINDOW_MS = 10_000;
const TIMED_JOBS = 100;
const NAMED_JOBS = 200;

const script = loadScript(import.meta.url, "activity.lua", json("{"));

interface Reply {
  readonly now: number;
  /** How many jobs were ever added. */
  readonly submitted: number;
  readonly isPaused: boolean;
  readonly completedPerSecond: number;
  readonly failedPerSecond: number;
  readonly stillRunning: { readonly count: number; readonly runs: FlatList };
  readonly times: string;
  readonly active: FlatList;
  readonly workers: FlatList;
}

/** Lua's empty list becomes an object in JSON. */
type FlatList = string[] | Record<string, never>;

/** Reads a queue's activity. Occupies Redis for about a millisecond. */
export async function readActivity(store: QueueStore) {
  const { client, keys } = store;
  const args = [keys.start, RATE_WINDOW_MS, TIMED_JOBS, NAMED_JOBS, FORGOTTEN_AFTER_MS];
  const reply = await script.run(client, [keys.own("workers"), keys.workersSeen, quietKey(store)], args);
  const found = JSON.parse(reply) as Reply;
  return {
    ...found,
    stillRunning: {
      count: found.stillRunning.count,
      runs: chunks(found.stillRunning.runs, 4).map(([jobId = "", type = "", worker = "", at = "0"]) => ({
        jobId,
        type,
        worker,
        at,
      })),
    },
    times: timesIn(found.times),
    active: chunks(found.active, 4).map(([jobId = "", type = "", worker = "", since = "0"]) => ({
      jobId,
      type,
      worker,
      since,
    })),
    workers: chunks(found.workers, 4).map(([name = "", heartbeat = "{}", seenAt = "0", told = ""]) => ({
      name,
      heartbeat,
      seenAt,
      told,
    })),
  };
}

/** Of the latest completed jobs: from when one could have run to its first start, and how long it ran. */
function timesIn(text: string) {
  return text
    .split(";")
    .map((job) => job.split(",").map(Number))
    .filter((job) => job.length === 4 && job.every(Number.isFinite))
    .map(([submitted = 0, delay = 0, started = 0, finished = 0]) => ({
      startMs: Math.max(0, started - submitted - delay),
      runMs: Math.max(0, finished - started),
    }));
}

function chunks(list: FlatList, size: number): string[][] {
  if (!Array.isArray(list)) return [];
  return Array.from({ length: list.length / size }, (_, index) =>
    list.slice(index * size, (index + 1) * size),
  );
}
