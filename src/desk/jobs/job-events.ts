import { once } from "node:events";
import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { withDeadline } from "../../platform/lib/deadline.ts";
import { type Running, stopOnce } from "../../platform/lib/running.ts";
import { wait } from "../../platform/lib/wait.ts";
import { duplicate, type RedisConnection } from "../../platform/redis/connection.ts";
import { redisUnavailable } from "../../platform/redis/redis-errors.ts";

export interface EventReaderOptions {
  /** The reader opens another connection like its. */
  readonly store: QueueStore;
  /**
   * From here on every event is reported; earlier ones may have been missed. Called again after a lost connection, and when
   * events were trimmed before they were read: BullMQ keeps about 10,000.
   */
  readonly onCaughtUp: () => void;
  /** @param jobs by id, whether the event may have been the job's end */
  readonly onEvents: (jobs: ReadonlyMap<string, boolean>) => void;
}

/** Redis answers by then even if nothing happens, so a dead connection is noticed. */
const BLOCK_MS = 10_000;
const ANSWER_MARGIN_MS = 2_000;
/** Pause 1 ms per event read, capped: a few events are reported at once, many together. */
const PAUSE_MAX_MS = 25;
const BATCH_MAX = 1_000;
const RETRY_MS = 250;

type Entry = readonly [id: string, fields: readonly string[]];

/**
 * Reads BullMQ's stream of events of one queue, over its own connection.
 *
 * BullMQ's `QueueEvents` reads the same stream, but its `close()` hangs while Redis is away, it waits 5 s after a lost connection,
 * and it does not report the loss.
 */
export function startEventReader(options: EventReaderOptions): Running {
  const connection = duplicate(options.store.client, { socketTimeout: BLOCK_MS + ANSWER_MARGIN_MS });
  const stopping = new AbortController();
  // The other connection's owner reports errors.
  connection.on("error", () => {});
  void readUntilStopped(connection, options, stopping.signal);
  return {
    stop: stopOnce(async () => {
      stopping.abort();
      connection.disconnect();
    }),
  };
}

async function readUntilStopped(
  connection: RedisConnection,
  options: EventReaderOptions,
  signal: AbortSignal,
) {
  while (!signal.aborted) {
    await readWhileConnected(connection, options, signal).catch(() => {});
    // A connection that seems to work may be dead without either end knowing.
    if (connection.status === "ready" && !signal.aborted) connection.disconnect(true);
    await wait(RETRY_MS, signal);
  }
}

async function readWhileConnected(
  connection: RedisConnection,
  { store, onCaughtUp, onEvents }: EventReaderOptions,
  signal: AbortSignal,
): Promise<void> {
  if (connection.status !== "ready") await once(connection, "ready", { signal });
  const key = store.keys.events;
  const answered = <T>(reply: Promise<T>) =>
    withDeadline(reply, BLOCK_MS + ANSWER_MARGIN_MS, redisUnavailable);

  async function beginAtEnd(): Promise<string> {
    // An id, not `$`: events between two reads must not be missed.
    const [[position] = ["0-0"]] = await answered(connection.xrevrange(key, "+", "-", "COUNT", 1));
    onCaughtUp();
    return position;
  }

  let position = await beginAtEnd();
  while (!signal.aborted) {
    const read = connection.xread("COUNT", BATCH_MAX, "BLOCK", BLOCK_MS, "STREAMS", key, position);
    const entries: readonly Entry[] = (await answered(read))?.[0]?.[1] ?? [];
    if (entries.length > 0) onEvents(jobsIn(entries));
    if (entries.length < BATCH_MAX) {
      position = entries.at(-1)?.[0] ?? position;
      await wait(Math.min(entries.length, PAUSE_MAX_MS), signal);
      continue;
    }
    // Far behind: the next events were trimmed unless an older one is still there.
    const older = await answered(connection.xrange(key, "-", position, "COUNT", 1));
    position = older.length > 0 ? (entries.at(-1)?.[0] ?? position) : await beginAtEnd();
  }
}

/** BullMQ's events that do not end a job. */
const ongoing: ReadonlySet<string | undefined> = new Set([
  "added",
  "waiting",
  "waiting-children",
  "delayed",
  "active",
  "progress",
]);

function jobsIn(entries: readonly Entry[]): Map<string, boolean> {
  const jobs = new Map<string, boolean>();
  for (const [, fields] of entries) {
    const id = field(fields, "jobId");
    if (id !== undefined) jobs.set(id, jobs.get(id) === true || !ongoing.has(field(fields, "event")));
  }
  return jobs;
}

function field(fields: readonly string[], name: string): string | undefined {
  const at = fields.indexOf(name);
  return at < 0 ? undefined : fields[at + 1];
}

const PAGE = 1_000;
/** BullMQ's events after which a job is in the same state as before, or has ended. */
const unmoved: ReadonlySet<string | undefined> = new Set([
  "progress",
  "completed",
  "failed",
  "removed",
  "deduplicated",
]);

/**
 * Finds which jobs of a queue have changed their state, by BullMQ's events from now on: each change is one. A walk through its lists can
 * miss those jobs alone. BullMQ keeps about 10,000 events, so read them often.
 */
export async function openMovedJobs({ client, keys }: QueueStore) {
  let [[position] = [""]] = await client.xrevrange(keys.events, "+", "-", "COUNT", 1);

  /** The last event that was read comes first: if it is gone, so may be others. */
  async function page(): Promise<Entry[] | undefined> {
    const entries = await client.xrange(keys.events, position || "-", "+", "COUNT", PAGE);
    const isUnbroken = position !== "" && entries[0]?.[0] === position;
    position = entries.at(-1)?.[0] ?? position;
    return isUnbroken ? entries.slice(1) : undefined;
  }

  return {
    /** Returns those of the time since the call before, each once; undefined if nobody can know. */
    async next(): Promise<string[] | undefined> {
      const moved = new Set<string>();
      for (let isEnd = false; !isEnd; ) {
        const entries = await page();
        if (entries === undefined) return undefined;
        for (const id of movedIn(entries)) moved.add(id);
        isEnd = entries.length < PAGE - 1;
      }
      return [...moved];
    },
  };
}

function movedIn(entries: readonly Entry[]): string[] {
  return entries.flatMap(([, fields]) => {
    const id = field(fields, "jobId");
    return id === undefined || unmoved.has(field(fields, "event")) ? [] : [id];
  });
}
