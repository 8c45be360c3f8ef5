import { once } from "node:events";
import { withDeadline } from "../lib/deadline.ts";
import { type Running, stopOnce } from "../lib/running.ts";
import { wait } from "../lib/wait.ts";
import { duplicate, type RedisConnection } from "../redis/connection.ts";
import { redisUnavailable } from "../redis/redis-errors.ts";
import type { QueueStore } from "./queue-store.ts";

export interface EventReaderOptions {
  /** The reader opens another connection like the store's. */
  readonly store: QueueStore;
  /**
   * Every event from here on is told; what happened before this may have been missed. Called again after a lost
   * connection, and when events were trimmed away before they were read: BullMQ keeps about 10,000.
   */
  readonly onCaughtUp: () => void;
  /** Something happened to these jobs; by id, whether that may have been their end. */
  readonly onEvents: (jobs: ReadonlyMap<string, boolean>) => void;
}

/** The store answers by then even if nothing happens, so that a connection that died silently is noticed. */
const BLOCK_MS = 10_000;
const ANSWER_MARGIN_MS = 2_000;
/**
 * After a read so many milliseconds go by as it brought events, at most these: where little happens it is told at once,
 * and where much happens it is told together.
 */
const PAUSE_MAX_MS = 25;
const BATCH_MAX = 1_000;
const RETRY_MS = 250;

type Entry = readonly [id: string, fields: readonly string[]];

/**
 * Reads what happens to the jobs of one queue from BullMQ's stream of events, over one connection of its own.
 *
 * BullMQ's `QueueEvents` reads the same stream, but cannot be closed while the store is away (`close()` then never
 * ends), waits 5 s after a lost connection, and does not tell that it was lost.
 */
export function startEventReader(options: EventReaderOptions): Running {
  const connection = duplicate(options.store.client, { socketTimeout: BLOCK_MS + ANSWER_MARGIN_MS });
  const stopping = new AbortController();
  // The client reports its connection's errors; this one shares its fate.
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
    // Whatever failed on a connection that seems to work: it may be dead without either end having been told.
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
    // Named, not `$`: what is added between two reads must not fall between them.
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
    // So far behind that what came next may have been trimmed: it was not while something older is still there.
    const older = await answered(connection.xrange(key, "-", position, "COUNT", 1));
    position = older.length > 0 ? (entries.at(-1)?.[0] ?? position) : await beginAtEnd();
  }
}

/** The events of BullMQ's after which a job goes on. */
const ongoing: ReadonlySet<string | undefined> = new Set([
  "added",
  "waiting",
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
