import { retryJob } from "../effect/retry-job.ts";
import type { ErrorCode } from "../errors/error-codes.ts";
import { parseFailure } from "../job/failure.ts";
import { queueOfId } from "../job/job-id.ts";
import { malformed } from "../lib/parse-json.ts";
import { readFailedUntil, type StoredFailure } from "../queue/failed-jobs.ts";
import { addMark } from "../queue/marks.ts";
import { queueOfPartition } from "../queue/partitions.ts";
import type { QueueStore, QueueStores } from "../queue/queue-store.ts";
import { redisNow } from "../redis/clock.ts";

/** Which failed jobs to retry. Cancelled jobs and jobs in doubt are retried only if their code is given. */
export interface FailedQuery {
  readonly type?: string | undefined;
  /** Why they failed, e.g. `HANDLER_FAILED`. */
  readonly code?: string | undefined;
  /** Instead of type and code: every failed job. */
  readonly all?: true | undefined;
  /** Only jobs that failed by then, in milliseconds since 1970, so that jobs that fail again are not retried for ever. */
  readonly before: number;
  /** How many to retry at most. It does not bound a dry run. */
  readonly limit: number;
  /** `nextCursor` of an earlier call. */
  readonly cursor?: string | undefined;
  /** Changes nothing, and returns what would be retried. */
  readonly dryRun?: boolean | undefined;
}

export interface RetriedFailed {
  readonly retried: number;
  /** Jobs that were no longer failed, or gone. */
  readonly skipped: number;
  /** What was retried, or in a dry run would be. */
  readonly matching: readonly MatchingGroup[];
  /** Matching jobs that were cancelled or are in doubt. They stay as they are, because their code was not given. */
  readonly leftAlone: number;
  /** The query's `before`, or Redis's time if that is earlier, in milliseconds since 1970. */
  readonly before: number;
  /** Null if none are left. */
  readonly nextCursor: string | null;
}

/** Matching failed jobs of one type and code. */
export interface MatchingGroup {
  readonly type: string;
  readonly code: ErrorCode;
  readonly count: number;
  /** At most three. */
  readonly exampleIds: readonly string[];
}

interface FailedJob extends StoredFailure {
  readonly code: ErrorCode;
}

/** A position in the lists of failed jobs: a partition by its number, and how many of its jobs were passed. */
interface Position {
  readonly queue: number;
  readonly offset: number;
}

const SLICE = 500;
/** These bound a call where few jobs match. */
const SCANNED_MAX = 20_000;
const TIME_MAX_MS = 1_000;
const AT_A_TIME = 20;
const EXAMPLES_MAX = 3;

/** Somebody wanted the cancelled ones not to run, and a retry alone does not help the ones in doubt. */
const onlyByCode: ReadonlySet<ErrorCode> = new Set(["CANCELLED", "EFFECT_IN_DOUBT"]);

/**
 * Retries failed jobs, the oldest failure first.
 *
 * @throws HoldfastError `INVALID_REQUEST` without a filter, and for an invalid cursor
 */
export async function retryFailed(
  stores: QueueStores,
  queues: readonly string[],
  query: FailedQuery,
): Promise<RetriedFailed> {
  requireFilter(query);
  const partitions = stores.partitionsOf(queues);
  let position: Position | undefined = startOf(query, partitions.length);
  // Redis's clock: with one that is ahead, jobs that fail again at once would be retried again and again.
  const before = Math.min(query.before, Math.floor(await redisNow(stores.client)));
  const limit = query.dryRun ? Number.POSITIVE_INFINITY : query.limit;
  const matching: FailedJob[] = [];
  let [retried, skipped, scanned, leftAlone] = [0, 0, 0, 0];
  const endAt = performance.now() + TIME_MAX_MS;
  const isEnough = () => retried >= limit || scanned >= SCANNED_MAX || performance.now() > endAt;
  while (position !== undefined && !isEnough()) {
    const store: QueueStore | undefined = partitions[position.queue];
    if (store === undefined) break;
    const slice = await readSlice(store, before, position.offset);
    const { read, wanted } = select(slice, query, limit - retried);
    const moved = query.dryRun ? 0 : await retryAll(store, wanted);
    retried += moved;
    skipped += query.dryRun ? 0 : wanted.length - moved;
    scanned += read.length;
    leftAlone += read.filter((job) => isLeftAlone(job, query)).length;
    matching.push(...wanted);
    const isEnd = slice.length < SLICE && read.length === slice.length;
    // Retried and skipped jobs are no longer in the list.
    const passed: number = read.length - (query.dryRun ? 0 : wanted.length);
    position = isEnd
      ? nextQueue(position, partitions.length)
      : { ...position, offset: position.offset + passed };
  }
  const nextCursor = position === undefined ? null : formatCursor(position);
  return { retried, skipped, matching: groupsOf(matching), leftAlone, before, nextCursor };
}

/** Marks the charts of the queues whose jobs were retried. */
export async function markRetried(
  stores: QueueStores,
  { type = "every type", code = "every reason", dryRun = false }: FailedQuery,
  { retried, matching }: RetriedFailed,
): Promise<void> {
  if (dryRun || retried === 0) return;
  const partitions = matching.map(({ exampleIds: [id = ""] }) => queueOfId(id) ?? "");
  const queues = new Set(partitions.map(queueOfPartition));
  const mark = { kind: "retried", text: `${type}, ${code}`, by: "" } as const;
  await Promise.all([...queues].map((queue) => addMark(stores.of(queue), mark)));
}

function requireFilter({ type, code, all }: FailedQuery): void {
  const isNarrow = type !== undefined || code !== undefined;
  if (isNarrow === (all === undefined)) return;
  throw malformed([
    isNarrow
      ? { pointer: "/all", message: "expected no such member beside type or code" }
      : { pointer: "", message: 'expected type, code or both, or "all": true for every failed job' },
  ]);
}

/** Selects what to retry. `read` ends at the last selected job if the limit cuts the slice. */
function select(slice: readonly FailedJob[], query: FailedQuery, limit: number) {
  const matching = slice.filter((job) => matches(job, query) && !isLeftAlone(job, query));
  const wanted = matching.slice(0, limit);
  const last = wanted.at(-1);
  const isAll = wanted.length === matching.length || last === undefined;
  return { wanted, read: isAll ? slice : slice.slice(0, slice.indexOf(last) + 1) };
}

function matches(job: FailedJob, { type, code }: FailedQuery): boolean {
  // A job without a type is gone, though still in the list.
  return job.type !== "" && (type ?? job.type) === job.type && (code ?? job.code) === job.code;
}

function isLeftAlone(job: FailedJob, query: FailedQuery): boolean {
  return matches(job, query) && onlyByCode.has(job.code) && query.code !== job.code;
}

async function readSlice(store: QueueStore, before: number, offset: number): Promise<FailedJob[]> {
  const jobs = await readFailedUntil(store, before, offset, SLICE);
  return jobs.map((job) => ({ ...job, code: parseFailure(job.reason).code }));
}

/** Retries jobs that are still failed for the same reason. Returns how many. */
async function retryAll(store: QueueStore, jobs: readonly FailedJob[]): Promise<number> {
  let retried = 0;
  for (let at = 0; at < jobs.length; at += AT_A_TIME) {
    const some = jobs.slice(at, at + AT_A_TIME);
    const outcomes = await Promise.all(some.map(({ id, reason }) => retryJob(store, id, reason)));
    retried += outcomes.filter((outcome) => outcome === "retried").length;
  }
  return retried;
}

/** Groups by type and code, the most frequent first. */
function groupsOf(jobs: readonly FailedJob[]): MatchingGroup[] {
  return mergeGroups(jobs.map(({ id, type, code }) => ({ type, code, count: 1, exampleIds: [id] })));
}

/** Merges the groups of several calls. */
export function mergeGroups(groups: readonly MatchingGroup[]): MatchingGroup[] {
  const merged = new Map<string, MatchingGroup>();
  for (const group of groups) {
    const name = `${group.type}\n${group.code}`;
    const { count, exampleIds } = merged.get(name) ?? { count: 0, exampleIds: [] };
    const examples = [...exampleIds, ...group.exampleIds].slice(0, EXAMPLES_MAX);
    merged.set(name, { ...group, count: count + group.count, exampleIds: examples });
  }
  return [...merged.values()].sort((a, b) => b.count - a.count);
}

function nextQueue({ queue }: Position, count: number): Position | undefined {
  return queue + 1 < count ? { queue: queue + 1, offset: 0 } : undefined;
}

function formatCursor({ queue, offset }: Position): string {
  return `${queue}.${offset}`;
}

function startOf({ cursor }: FailedQuery, count: number): Position {
  if (cursor === undefined) return { queue: 0, offset: 0 };
  const [, queue, offset] = /^(\d{1,4})\.(\d{1,9})$/.exec(cursor) ?? [];
  if (queue !== undefined && Number(queue) < count) return { queue: Number(queue), offset: Number(offset) };
  throw malformed([{ pointer: "/cursor", message: "expected the nextCursor of an earlier answer" }]);
}
