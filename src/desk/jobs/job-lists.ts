import { z } from "zod";
import { findDedupKeyHolder } from "../../core/bullmq/add/dedup-key-holder.ts";
import { readFingerprintSecret } from "../../core/bullmq/store/fingerprint-secrets.ts";
import { type KeyPlaces, queueOfPartition } from "../../core/bullmq/store/partitions.ts";
import type { QueueStore, QueueStores } from "../../core/bullmq/store/queue-store.ts";
import { dedupKeyOf } from "../../core/job/dedup-key.ts";
import { queueOfId } from "../../core/job/job-id.ts";
import { type JobState, jobStates } from "../../core/job/job-state.ts";
import type { Redaction } from "../../core/job/redaction.ts";
import { readKeys } from "../../core/status/read-keys.ts";
import { keyedHash } from "../../core/submit/fingerprint.ts";
import { type ListedJob, openStatusReader } from "../../features/job-status.ts";
import { malformed } from "../../platform/lib/parse-json.ts";
import { containsText } from "../filter.ts";
import { failedCountShape } from "./failure-groups.ts";
import { countJobs, findJobs, type JobList, LIST_START, stateLists, stateOfList } from "./find-jobs.ts";
import { formatCursor, type Position, parseCursor } from "./job-cursor.ts";
import {
  type IndexIn,
  indexIn,
  isInState,
  type JobFilter,
  type JobOrder,
  matchesFilter,
  mustRead,
  onlyIndexesIn,
} from "./job-filter.ts";
import { readFailures } from "./job-record.ts";
import { redact, redactionOf } from "./redact.ts";

export interface ListedApplication {
  readonly jobs: ReadonlyMap<string, KeyPlaces & { readonly redact: Redaction }>;
  readonly queues: readonly string[];
}

/** Jobs that match a filter, read slice by slice. Each call is bounded and can end before anything is found. */
export interface JobLists {
  /**
   * Reads jobs that match.
   *
   * @throws HoldfastError `INVALID_REQUEST` for an invalid cursor and an unknown queue
   */
  read(filter: JobFilter, walk: Walk): Promise<Walked<ListedJob>>;
  /** The same without reading the jobs themselves, where Redis alone can decide. */
  ids(filter: JobFilter, walk: Walk): Promise<Walked<string>>;
  /** Those of these jobs that match, and are in one of these states. */
  among(ids: readonly string[], filter: JobFilter, states: readonly JobState[]): Promise<string[]>;
  /** The queues and partitions whose jobs can match. @throws HoldfastError `INVALID_REQUEST` for an unknown queue */
  queuesOf(filter: JobFilter): string[];
  /** The queues whose failed jobs alone are meant; undefined for any other filter. @throws HoldfastError `INVALID_REQUEST` for an unknown queue */
  failedOf(filter: JobFilter): QueueStore[] | undefined;
  /** Counts jobs that match, as far as one call may read. @throws HoldfastError `INVALID_REQUEST` for an unknown queue */
  count(filter: JobFilter, states?: readonly JobState[]): Promise<JobCount>;
}

export const jobTotalSchema = z.object({
  count: z.int(),
  isExact: z.boolean().meta({ description: "If not, there are at least `count`." }),
  kinds: z.object(failedCountShape).optional().meta({
    description:
      "Only of lists of all `failed` jobs, or those of a queue: what they are, as the overview counts them.",
  }),
});
/** One call does not read more than so many jobs. */
export type JobTotal = Readonly<z.output<typeof jobTotalSchema>>;

export interface JobCount extends JobTotal {
  /** How many jobs were read, in the order of the list. */
  readonly scanned: number;
}

export interface Walk {
  /** How many jobs at most. */
  readonly limit: number;
  /** `nextCursor` of the call before, with the same filter and states. */
  readonly cursor?: string | undefined;
  /** Only jobs in these states. @default all */
  readonly states?: readonly JobState[];
  /** @default ended and tagged jobs newest first, the others in the order in which they will run */
  readonly order?: JobOrder | undefined;
}

export interface Walked<Item> {
  readonly found: Item[];
  /** Null at the end. */
  readonly nextCursor: string | null;
  /** How many jobs were read. */
  readonly scanned: number;
  /** Whether jobs may be missing before these: the ones by which it knew where to go on were removed. */
  readonly mayMiss: boolean;
}

/** A call also reads jobs that do not match. These bound it. */
const SCANNED_MAX = 50_000;
const TIME_MAX_MS = 1_000;
const READ_TOGETHER = 500;
/** Some jobs have thousands: a page of them must stay small. */
const LISTED_EFFECTS_MAX = 20;

export function openJobLists(stores: QueueStores, application: ListedApplication): JobLists {
  const readJobs = openListedReader(stores, application);

  async function readMatching(ids: readonly string[], filter: JobFilter): Promise<ListedJob[]> {
    // The jobs' own texts have their keys.
    const indexed = await withIndexed(stores, ids, onlyIndexesIn(filter));
    const some = await withTexts(stores, indexed, { ...filter, keyPart: undefined });
    return (await readJobs(some)).filter((job) => matchesFilter(job, filter));
  }

  /** Redis alone decides, except about keys and about errors. */
  async function idsMatching(ids: readonly string[], filter: JobFilter): Promise<readonly string[]> {
    if (!mustRead(filter)) return await withTexts(stores, ids, filter);
    return (await readMatching(ids, filter)).map(({ id }) => id);
  }

  async function walk<Item>(
    filter: JobFilter,
    options: Walk,
    matching: Matching<Item>,
  ): Promise<Walked<Item>> {
    requireQueue(application, filter);
    const { idempotencyKey, ...others } = filter;
    if (idempotencyKey === undefined) return await walkLists(stores, application, filter, options, matching);
    const keyed = await idsOfKey(stores, application, idempotencyKey, filter.type);
    // A job that has replaced the key's submission has another key.
    const ids = (await readMatching(keyed, others)).map(({ id }) => id);
    return { found: [...(await matching(ids, {}))], nextCursor: null, scanned: keyed.length, mayMiss: false };
  }

  async function count(filter: JobFilter, states: readonly JobState[] = jobStates): Promise<JobCount> {
    if (!isByStateAlone(filter)) {
      const { found, nextCursor, scanned } = await walk(filter, { limit: Infinity, states }, idsMatching);
      return { count: found.length, isExact: nextCursor === null, scanned };
    }
    return await countByState(stores, application, filter, states);
  }

  return {
    read: (filter, options) => walk(filter, options, readMatching),
    ids: (filter, options) => walk(filter, options, idsMatching),
    async among(ids, filter, states) {
      const jobs = await readMatching(ids, filter);
      return jobs.filter(({ state }) => states.includes(state)).map(({ id }) => id);
    },
    queuesOf(filter) {
      requireQueue(application, filter);
      return partitionsOf(stores, application, filter);
    },
    failedOf(filter) {
      if (filter.state !== "failed" || !isByStateAlone(filter)) return undefined;
      requireQueue(application, filter);
      return partitionsOf(stores, application, filter).map(stores.of);
    },
    count,
  };
}

/**
 * Redis reads neither encrypted messages nor all letters, and finds a part of a key anywhere in a submission. This is quicker than reading
 * all of the jobs.
 */
async function withTexts(
  stores: QueueStores,
  all: readonly string[],
  { errorText, keyPart }: JobFilter,
): Promise<readonly string[]> {
  const failures = errorText === undefined ? [] : await readFailures(stores, all);
  const ids = all.filter((_, at) => containsText(failures[at]?.message ?? "", errorText ?? ""));
  if (keyPart === undefined) return ids;
  const keys = await readKeysOf(stores, ids);
  return ids.filter((id) => keys.get(id)?.includes(keyPart));
}

/** Those that are in all of these indexes: a job does not show what those know of it. */
async function withIndexed(
  stores: QueueStores,
  ids: readonly string[],
  indexes: readonly IndexIn[],
): Promise<readonly string[]> {
  if (indexes.length === 0) return ids;
  const isIn = async (id: string, index: IndexIn) => {
    const { queue, client, keys } = stores.of(queueOfId(id) ?? "");
    return (await client.zscore(keys.own(await index(hashOf(stores, queue))), id)) !== null;
  };
  const found = await Promise.all(
    ids.map(async (id) => (await Promise.all(indexes.map((index) => isIn(id, index)))).every(Boolean)),
  );
  return ids.filter((_, at) => found[at]);
}

/** What keys hashes of a queue's submissions. Before the first there is no secret, and no job. */
function hashOf(stores: QueueStores, queue: string): Parameters<IndexIn>[0] {
  return async () => {
    const secret = await readFingerprintSecret(stores.of(queueOfPartition(queue)));
    return (...of) => keyedHash(secret ?? "", ...of);
  };
}

type Matching<Item> = (ids: readonly string[], filter: JobFilter) => Promise<readonly Item[]>;

/** A page of jobs with large results ends after about so many characters. */
const PAGE_CHARACTERS = 2 * 1024 * 1024;
/** Nobody knows yet how long each takes. */
const FIRST_READ = 10;

/** How large jobs are in an answer. Ids are not. */
function charactersOf(items: readonly unknown[]): number {
  const sizes = items.map((item) => (typeof item === "string" ? 0 : JSON.stringify(item).length));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** How many more may follow, if they are as those before. */
function roomFor(items: number, used: number, most: number): number {
  return Math.max(1, Math.ceil((most - used) / (used / items)));
}

async function walkLists<Item>(
  stores: QueueStores,
  application: ListedApplication,
  filter: JobFilter,
  { limit, cursor, states = jobStates, order }: Walk,
  matching: Matching<Item>,
): Promise<Walked<Item>> {
  const lists = (await listsOf(stores, application, filter, states)).map((list) => ({ ...list, order }));
  let position: Position | undefined = cursor === undefined ? startOf(lists, 0) : parseCursor(lists, cursor);
  const found: Item[] = [];
  let [scanned, mayMiss, characters, read] = [0, false, 0, 0];
  const begunAt = performance.now();
  const elapsedMs = () => performance.now() - begunAt;
  const isEnough = () =>
    found.length >= limit ||
    characters >= PAGE_CHARACTERS ||
    scanned >= SCANNED_MAX ||
    elapsedMs() > TIME_MAX_MS;
  while (position !== undefined && !isEnough()) {
    const list: JobList | undefined = lists[position.list];
    if (list === undefined) break;
    const most = Math.min(
      limit - found.length,
      READ_TOGETHER,
      characters === 0 ? Infinity : roomFor(found.length, characters, PAGE_CHARACTERS),
      read === 0 ? FIRST_READ : roomFor(read, elapsedMs(), TIME_MAX_MS),
    );
    const slice = await findJobs(stores.of(list.queue), list, position.at, filter, most);
    const some = await matching(slice.ids, filter);
    read += slice.ids.length;
    found.push(...some);
    characters += charactersOf(some);
    scanned += slice.scanned;
    mayMiss ||= slice.mayPassOver;
    position = slice.isEnd ? startOf(lists, position.list + 1) : { list: position.list, at: slice.next };
  }
  return {
    found,
    nextCursor: position === undefined ? null : formatCursor(lists, position),
    scanned,
    mayMiss,
  };
}

async function countByState(
  stores: QueueStores,
  application: ListedApplication,
  filter: JobFilter,
  states: readonly JobState[],
): Promise<JobCount> {
  requireQueue(application, filter);
  const lists = await listsOf(stores, application, filter, states);
  const counts = lists.map(({ queue, of }) => ("list" in of ? countJobs(stores.of(queue), of.list) : 0));
  const count = (await Promise.all(counts)).reduce((sum, some) => sum + some, 0);
  return { count, isExact: true, scanned: 0 };
}

function isByStateAlone({ queue: _, state: __, ...others }: JobFilter): boolean {
  return Object.values(others).every((value) => value === undefined);
}

function startOf(lists: readonly JobList[], list: number): Position | undefined {
  return list < lists.length ? { list, at: LIST_START } : undefined;
}

/** What has to be read, partition by partition: those of an index, otherwise those of each state. */
async function listsOf(
  stores: QueueStores,
  application: ListedApplication,
  filter: JobFilter,
  among: readonly JobState[],
): Promise<JobList[]> {
  const states = among.filter((state) => isPossible(state, filter));
  if (states.length === 0) return [];
  const index = indexIn(filter);
  const partitions = partitionsOf(stores, application, filter);
  if (index !== undefined) {
    const keys = await Promise.all(partitions.map((queue) => index(hashOf(stores, queue))));
    return partitions.map((queue, at) => ({ queue, of: { index: keys[at] ?? "", states } }));
  }
  const lists = stateLists.filter((list) => states.includes(stateOfList(list)));
  return partitions.flatMap((queue) => lists.map((list) => ({ queue, of: { list } })));
}

function partitionsOf(stores: QueueStores, { queues }: ListedApplication, { queue }: JobFilter): string[] {
  return stores.partitionsOf(queue === undefined ? queues : [queue]).map((partition) => partition.queue);
}

const endedStates: ReadonlySet<JobState> = new Set(["completed", "failed"]);

function isPossible(state: JobState, filter: JobFilter): boolean {
  const isAboutEnd = filter.endedFrom !== undefined || filter.endedTo !== undefined;
  const { code, errorText, messagePattern } = filter;
  const isAboutError = [code, errorText, messagePattern].some((member) => member !== undefined);
  return (
    isInState(state, filter.state ?? state) &&
    (!isAboutEnd || endedStates.has(state)) &&
    // A completed job has no error, though BullMQ keeps that of an earlier attempt.
    (!isAboutError || state !== "completed")
  );
}

function requireQueue({ queues }: ListedApplication, { queue }: JobFilter): void {
  if (queue === undefined || queues.includes(queue)) return;
  throw malformed([{ pointer: "/queue", message: `expected one of ${queues.join(", ")}` }]);
}

/** A key has one job of each type at most. */
async function idsOfKey(
  stores: QueueStores,
  { jobs }: ListedApplication,
  key: string,
  only?: string,
): Promise<string[]> {
  const types = [...jobs].filter(([type]) => (only ?? type) === type);
  const ids = await Promise.all(
    types.map(([type, places]) => findDedupKeyHolder(stores, dedupKeyOf(type, key), places)),
  );
  return ids.filter((id) => id !== null);
}

/** Idempotency keys as they are shown, by job. */
async function readKeysOf(stores: QueueStores, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const queues = new Set(ids.map((id) => queueOfId(id) ?? ""));
  const read = [...queues].map(async (queue) => {
    const some = ids.filter((id) => queueOfId(id) === queue);
    const keys = await readKeys(stores.of(queue), some);
    return some.flatMap((id, at) => (keys[at] === undefined ? [] : [[id, keys[at].shown] as const]));
  });
  return new Map((await Promise.all(read)).flat());
}

function openListedReader(stores: QueueStores, { jobs: types }: ListedApplication) {
  const readStatus = openStatusReader(stores, LISTED_EFFECTS_MAX);
  return async (all: readonly string[]): Promise<ListedJob[]> => {
    const ids = all.filter((id) => queueOfId(id) !== undefined);
    const [statuses, keys] = await Promise.all([Promise.all(ids.map(readStatus)), readKeysOf(stores, ids)]);
    return statuses.flatMap((status) => {
      if (status === undefined) return [];
      const idempotencyKey = keys.get(status.id);
      if (idempotencyKey === undefined) return [];
      const result = redact(status.result, redactionOf(types, status.type).result);
      return [{ ...status, result, idempotencyKey }];
    });
  };
}
