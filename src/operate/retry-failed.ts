import { retryJob } from "../effect/retry-job.ts";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { parseFailure } from "../job/failure.ts";
import { readFailedUntil } from "../queue/failed-jobs.ts";
import type { QueueStore, QueueStores } from "../queue/queue-store.ts";
import type { RedisConnection } from "../redis/connection.ts";
import {
  type FailedJob,
  type FailedQuery,
  groupsOf,
  isLeftAlone,
  type MatchingGroup,
  matches,
  requireFilter,
} from "./failed-query.ts";

export interface RetriedFailed {
  readonly retried: number;
  /** Those that had moved on, or gone, by then. */
  readonly skipped: number;
  /** What was retried, or in a dry run would be, by type and code. */
  readonly matching: readonly MatchingGroup[];
  /** Jobs of the filter that were cancelled or are in doubt, and stay as they are because their code was not given. */
  readonly leftAlone: number;
  /** The instant that counted, in milliseconds since 1970: `before` of the query, or the store's now where that is earlier. */
  readonly before: number;
  /** Null when none are left. */
  readonly nextCursor: string | null;
}

/** A place in the lists of failed jobs: how many of a queue's were passed over. */
interface ListPosition {
  readonly queue: number;
  readonly offset: number;
}

const SLICE = 500;
/** One call must not take for ever where few match. */
const SCANNED_MAX = 20_000;
const AT_A_TIME = 20;
/** Nor longer than somebody waits: it then answers with how far it got. */
const ENOUGH_MS = 1_000;

/**
 * Retries failed jobs, those that failed first first.
 *
 * @throws HoldfastError `INVALID_REQUEST` without a filter, and for a cursor that is not one
 */
export async function retryFailed(
  stores: QueueStores,
  queues: readonly string[],
  query: FailedQuery,
): Promise<RetriedFailed> {
  requireFilter(query);
  const count = queues.length;
  let place: ListPosition | undefined =
    query.cursor === undefined ? { queue: 0, offset: 0 } : parseCursor(query.cursor, count);
  const before = Math.min(query.before, await redisNow(stores.client));
  const limit = query.dryRun ? Number.POSITIVE_INFINITY : query.limit;
  const matching: FailedJob[] = [];
  let [retried, skipped, scanned, leftAlone] = [0, 0, 0, 0];
  const enoughAt = performance.now() + ENOUGH_MS;
  const isEnough = () => retried >= limit || scanned >= SCANNED_MAX || performance.now() > enoughAt;
  while (place !== undefined && !isEnough()) {
    const store: QueueStore = stores.of(queues[place.queue] ?? "");
    const slice = await readSlice(store, before, place.offset);
    const { read, wanted } = take(slice, query, limit - retried);
    const moved = query.dryRun ? 0 : await retryAll(store, wanted);
    retried += moved;
    skipped += query.dryRun ? 0 : wanted.length - moved;
    scanned += read.length;
    leftAlone += read.filter((job) => isLeftAlone(job, query)).length;
    matching.push(...wanted);
    const isEnd = slice.length < SLICE && read.length === slice.length;
    // Those that were retried have left the list, and those that had moved on had, too.
    const passed: number = read.length - (query.dryRun ? 0 : wanted.length);
    place = isEnd ? placeAfter(place, count) : { ...place, offset: place.offset + passed };
  }
  const nextCursor = place === undefined ? null : formatCursor(place);
  return { retried, skipped, matching: groupsOf(matching), leftAlone, before, nextCursor };
}

/** What of a slice is dealt with now: as far as the last job that is still wanted. */
function take(slice: readonly FailedJob[], query: FailedQuery, limit: number) {
  const matching = slice.filter((job) => matches(job, query));
  const wanted = matching.slice(0, limit);
  const last = wanted.at(-1);
  const isAll = wanted.length === matching.length || last === undefined;
  return { wanted, read: isAll ? slice : slice.slice(0, slice.indexOf(last) + 1) };
}

/** With a clock that is ahead, what fails again at once would be retried again and again. */
async function redisNow(client: RedisConnection): Promise<number> {
  const [seconds, microseconds] = await client.time();
  return Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000);
}

async function readSlice(store: QueueStore, before: number, offset: number): Promise<FailedJob[]> {
  const jobs = await readFailedUntil(store, before, offset, SLICE);
  return jobs.map((job) => ({ ...job, code: parseFailure(job.reason).code }));
}

/** Retries some jobs of a queue, unless they have failed otherwise or were cancelled since; returns how many of them. */
async function retryAll(store: QueueStore, jobs: readonly FailedJob[]): Promise<number> {
  let retried = 0;
  for (let at = 0; at < jobs.length; at += AT_A_TIME) {
    const some = jobs.slice(at, at + AT_A_TIME);
    const outcomes = await Promise.all(some.map(({ id, reason }) => retryJob(store, id, reason)));
    retried += outcomes.filter((outcome) => outcome === "retried").length;
  }
  return retried;
}

function placeAfter({ queue }: ListPosition, count: number): ListPosition | undefined {
  return queue + 1 < count ? { queue: queue + 1, offset: 0 } : undefined;
}

function formatCursor({ queue, offset }: ListPosition): string {
  return `${queue}.${offset}`;
}

function parseCursor(text: string, count: number): ListPosition {
  const [, queue, offset] = /^(\d{1,4})\.(\d{1,9})$/.exec(text) ?? [];
  if (queue !== undefined && Number(queue) < count) return { queue: Number(queue), offset: Number(offset) };
  const issues = [{ pointer: "/cursor", message: "expected the nextCursor of an earlier answer" }];
  throw new HoldfastError("INVALID_REQUEST", "The cursor is not valid", { issues });
}
