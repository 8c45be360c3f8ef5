import { dedupKeyOf } from "../job/dedup-key.ts";
import { queueOfId } from "../job/job-id.ts";
import { type Redaction, redact, redactionOf } from "../job/redaction.ts";
import { malformed } from "../lib/parse-json.ts";
import {
  findJobs,
  type JobFilter,
  type JobList,
  jobLists,
  type ListPosition,
  stateOfList,
} from "../queue/find-jobs.ts";
import { readEnvelopeJson } from "../queue/job-record.ts";
import type { JobState } from "../queue/job-state.ts";
import type { KeyPlaces } from "../queue/partitions.ts";
import type { QueueStores } from "../queue/queue-store.ts";
import { findDedupKeyHolder } from "../status/dedup-key-holder.ts";
import type { ListedJob } from "../status/job-status.ts";
import { openStatusReader } from "../status/read-status.ts";
import { submitted } from "../status/submitted.ts";

export interface JobQuery extends JobFilter {
  readonly state?: JobState | undefined;
  readonly idempotencyKey?: string | undefined;
  /** 1 to 200. */
  readonly limit: number;
  /** `nextCursor` of an earlier page. */
  readonly cursor?: string | undefined;
}

export interface JobPage {
  readonly jobs: ListedJob[];
  /** Null after the last page. A page can be short, even empty, and not be the last. */
  readonly nextCursor: string | null;
  /** How many jobs were read for the page. */
  readonly scanned: number;
}

/** One list of jobs. A query reads each list of each partition, one after the other. */
interface Source {
  readonly queue: string;
  readonly list: JobList;
}

/** With a filter, a page also reads jobs that it does not list. These bound it. */
const SCANNED_MAX = 50_000;
const TIME_MAX_MS = 1_000;

/** The part of an application that lists need. */
interface ListedApplication {
  readonly jobs: ReadonlyMap<string, KeyPlaces & { readonly redact: Redaction }>;
  readonly queues: readonly string[];
}

/**
 * Lists jobs: ended ones with the latest first, the others with the next to run first.
 *
 * @throws HoldfastError `INVALID_REQUEST` for an invalid cursor
 */
export async function listJobs(
  stores: QueueStores,
  application: ListedApplication,
  query: JobQuery,
): Promise<JobPage> {
  const readJobs = openListedReader(stores, application);
  if (query.idempotencyKey !== undefined) {
    const jobs = await readJobs(await idsOfKey(stores, application, query.idempotencyKey, query.type));
    return { jobs: jobs.filter((job) => matches(job, query)), nextCursor: null, scanned: jobs.length };
  }
  const partitions = stores.partitionsOf(application.queues).map(({ queue }) => queue);
  const sources = partitions.flatMap((queue) => jobLists.map((list) => ({ queue, list })));
  // A completed job has no error, though BullMQ keeps that of an earlier attempt.
  const wanted = sources.filter(
    ({ list }) =>
      (query.state ?? stateOfList(list)) === stateOfList(list) &&
      (query.code === undefined || list !== "completed"),
  );
  return await listFrom(stores, wanted, readJobs, query);
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

async function listFrom(
  stores: QueueStores,
  sources: readonly Source[],
  readJobs: ReadJobs,
  query: JobQuery,
): Promise<JobPage> {
  let position = query.cursor === undefined ? startOf(sources[0]) : parseCursor(query.cursor, sources);
  const jobs: ListedJob[] = [];
  let scanned = 0;
  const endAt = performance.now() + TIME_MAX_MS;
  const isEnough = () => jobs.length >= query.limit || scanned >= SCANNED_MAX || performance.now() > endAt;
  while (position !== undefined && !isEnough()) {
    const found = await findJobs(stores.of(position.queue), position, query, query.limit - jobs.length);
    const read = await readJobs(found.ids);
    jobs.push(...read.filter((job) => matches(job, query)));
    scanned += found.scanned;
    position = found.scanned === 0 ? startOf(sources[indexOf(sources, position) + 1]) : found.next;
  }
  return { jobs, nextCursor: position === undefined ? null : formatCursor(position), scanned };
}

function matches(job: ListedJob, { type, state, code, from, to }: JobQuery): boolean {
  const submitted = Date.parse(job.submittedAt);
  return (
    (type === undefined || job.type === type) &&
    // A job can change its state after its list is read.
    (state === undefined || job.state === state) &&
    (code === undefined || job.error?.code === code) &&
    (from === undefined || submitted >= from) &&
    (to === undefined || submitted < to)
  );
}

/** Reads jobs by id, without those that are gone. */
type ReadJobs = (ids: readonly string[]) => Promise<ListedJob[]>;

function openListedReader(stores: QueueStores, { jobs: types }: ListedApplication): ReadJobs {
  const readStatus = openStatusReader(stores);
  const read = async (id: string): Promise<ListedJob | undefined> => {
    const queue = queueOfId(id);
    if (queue === undefined) return undefined;
    const store = stores.of(queue);
    const [status, envelope] = await Promise.all([readStatus(id), readEnvelopeJson(store, id)]);
    if (status === undefined || envelope === null) return undefined;
    const { idempotencyKey } = submitted(store, id, envelope);
    const result = redact(status.result, redactionOf(types, status.type).result);
    return { ...status, result, idempotencyKey };
  };
  return async (ids) => (await Promise.all(ids.map(read))).filter((job) => job !== undefined);
}

function startOf(source: Source | undefined): ListPosition | undefined {
  return source === undefined ? undefined : { ...source, offset: 0 };
}

function indexOf(sources: readonly Source[], { queue, list }: Source): number {
  return sources.findIndex((source) => source.queue === queue && source.list === list);
}

function formatCursor({ queue, list, offset, lastId }: ListPosition): string {
  return Buffer.from(JSON.stringify([queue, list, offset, lastId])).toString("base64url");
}

function parseCursor(text: string, sources: readonly Source[]): ListPosition {
  const position = cursorFields(text);
  if (position === undefined || indexOf(sources, position) < 0) {
    const message = "expected the nextCursor of an earlier answer to the same query";
    throw malformed([{ pointer: "/cursor", message }]);
  }
  return position;
}

function cursorFields(text: string): ListPosition | undefined {
  try {
    const [queue, list, offset, lastId] = JSON.parse(
      Buffer.from(text, "base64url").toString("utf8"),
    ) as unknown[];
    if (typeof queue !== "string" || !Number.isSafeInteger(offset) || Number(offset) < 0) return undefined;
    const base = { queue, list: list as JobList, offset: Number(offset) };
    return typeof lastId === "string" ? { ...base, lastId } : base;
  } catch {
    return undefined;
  }
}
