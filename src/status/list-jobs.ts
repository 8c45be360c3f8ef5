import { claimOf } from "../contract/claim.ts";
import { queueOfId } from "../contract/job-id.ts";
import { type Redaction, redact, redactionOf } from "../contract/redaction.ts";
import { HoldfastError } from "../errors/holdfast-error.ts";
import type { StoreClient } from "../store/client.ts";
import type { StoreAccess } from "../store/connect.ts";
import { queueKey } from "../store/keys.ts";
import { type ClaimPlaces, findHolder } from "./claim-holder.ts";
import { type JobState, jobStates, type ListedJob } from "./job-status.ts";
import { openStatusReader } from "./read-status.ts";
import { submitted, unlessWrongType } from "./submitted.ts";

/** Which jobs to list. */
export interface JobQuery {
  readonly type?: string | undefined;
  readonly state?: JobState | undefined;
  readonly idempotencyKey?: string | undefined;
  /** Submitted at or after this, in milliseconds since 1970. */
  readonly from?: number | undefined;
  /** Submitted before this. */
  readonly to?: number | undefined;
  /** How many at most, 1 to 200. */
  readonly limit: number;
  /** Where an earlier page ended. */
  readonly cursor?: string | undefined;
}

export interface JobPage {
  readonly jobs: ListedJob[];
  /** Null when there are no more. A page can be short, even empty, and still not be the last. */
  readonly nextCursor: string | null;
}

/** Where the jobs are looked for: each state of each queue, one after the other. */
interface Source {
  readonly queue: string;
  readonly state: JobState;
}

/** A place in a source: the job that was listed last, and how many came before the next one. */
interface Cursor extends Source {
  readonly offset: number;
  readonly lastId?: string;
}

/** A filter by type reads jobs that it does not list; so many per page at most. */
const SCANNED_MAX = 1_000;

type ReadListed = (id: string) => Promise<ListedJob | undefined>;

/** What must be known of the application's types. */
export type KnownTypes = ReadonlyMap<string, ClaimPlaces & { readonly redact: Redaction }>;

/**
 * Lists jobs: finished ones the latest first, the others the next to run first.
 *
 * @throws HoldfastError `INVALID_REQUEST` for a cursor that is not one
 */
export async function listJobs(
  access: StoreAccess,
  prefix: string,
  types: KnownTypes,
  query: JobQuery,
): Promise<JobPage> {
  if (query.idempotencyKey !== undefined)
    return await listByKey(access, prefix, types, query, query.idempotencyKey);
  const declared = [...types.values()];
  const queues = [
    ...new Set([
      ...declared.map(({ queue }) => queue),
      ...declared.flatMap(({ formerQueues }) => formerQueues),
    ]),
  ];
  const sources = queues.flatMap((queue) => jobStates.map((state) => ({ queue, state })));
  const wanted = sources.filter(({ state }) => query.state === undefined || state === query.state);
  return await listFrom(access, prefix, types, wanted, query);
}

/** The few jobs, one for each type, whose key this is. */
async function listByKey(
  access: StoreAccess,
  prefix: string,
  types: KnownTypes,
  query: JobQuery,
  key: string,
): Promise<JobPage> {
  const candidates = [...types].filter(([name]) => query.type === undefined || name === query.type);
  const readListed = openListedReader(access, prefix, types);
  const ids = await Promise.all(
    candidates.map(([name, places]) => findHolder(access.client, prefix, claimOf(name, key), places)),
  );
  const read = await Promise.all(ids.map((id) => readListed(id ?? "")));
  const jobs = read.filter((job) => job !== undefined);
  return { jobs: jobs.filter((job) => matches(job, query)), nextCursor: null };
}

async function listFrom(
  access: StoreAccess,
  prefix: string,
  types: KnownTypes,
  sources: readonly Source[],
  query: JobQuery,
): Promise<JobPage> {
  let place = query.cursor === undefined ? startOf(sources[0]) : parseCursor(query.cursor, sources);
  const { client } = access;
  const readListed = openListedReader(access, prefix, types);
  const jobs: ListedJob[] = [];
  let scanned = 0;
  while (place !== undefined && jobs.length < query.limit && scanned < SCANNED_MAX) {
    const offset = await currentOffset(client, prefix, place);
    const ids = await pageOfIds(client, prefix, place, offset, query.limit - jobs.length);
    const read = await Promise.all(ids.map((id) => readListed(id)));
    jobs.push(
      ...read.filter((job) => job !== undefined && matches(job, query)).map((job) => job as ListedJob),
    );
    scanned += ids.length;
    place = ids.length === 0 ? startOf(sources[indexOf(sources, place) + 1]) : advance(place, offset, ids);
  }
  return { jobs, nextCursor: place === undefined ? null : formatCursor(place) };
}

function matches(job: ListedJob, { type, state, from, to }: JobQuery): boolean {
  const submitted = Date.parse(job.submittedAt);
  return (
    (type === undefined || job.type === type) &&
    // A job can move on between the reading of its list and of itself.
    (state === undefined || job.state === state) &&
    (from === undefined || submitted >= from) &&
    (to === undefined || submitted < to)
  );
}

function openListedReader(access: StoreAccess, prefix: string, types: KnownTypes): ReadListed {
  const { client, sealer } = access;
  const readStatus = openStatusReader(access, prefix);
  return async (id) => {
    const queue = queueOfId(id);
    if (queue === undefined) return undefined;
    const [status, data] = await Promise.all([
      readStatus(id),
      // What is no hash is no job: the status says so.
      client.hget(queueKey(prefix, queue, id), "data").catch(unlessWrongType),
    ]);
    if (status === undefined || data === null) return undefined;
    const { idempotencyKey } = submitted(sealer, id, data);
    return {
      ...status,
      result: redact(status.result, redactionOf(types, status.type).result),
      idempotencyKey,
    };
  };
}

const newestFirst: ReadonlySet<JobState> = new Set(["completed", "failed"]);
const lists: Partial<Record<JobState, string>> = { waiting: "wait", active: "active" };

async function pageOfIds(
  client: StoreClient,
  prefix: string,
  { queue, state }: Source,
  offset: number,
  count: number,
): Promise<string[]> {
  const list = lists[state];
  // BullMQ pushes at the head and takes from the tail.
  if (list !== undefined) {
    const ids = await client.lrange(queueKey(prefix, queue, list), -(offset + count), -(offset + 1));
    return ids.reverse();
  }
  const key = queueKey(prefix, queue, state);
  const [first, last] = [String(offset), String(offset + count - 1)];
  return newestFirst.has(state)
    ? await client.zrevrange(key, first, last)
    : await client.zrange(key, first, last);
}

/** Sorted sets grow at the end that is listed first: the job that was listed last tells how far the list has moved. */
async function currentOffset(client: StoreClient, prefix: string, place: Cursor): Promise<number> {
  const { queue, state, offset, lastId } = place;
  if (lastId === undefined || lists[state] !== undefined) return offset;
  const key = queueKey(prefix, queue, state);
  const rank = newestFirst.has(state) ? await client.zrevrank(key, lastId) : await client.zrank(key, lastId);
  return rank === null ? offset : Number(rank) + 1;
}

function startOf(source: Source | undefined): Cursor | undefined {
  return source === undefined ? undefined : { ...source, offset: 0 };
}

function advance({ queue, state }: Cursor, offset: number, ids: readonly string[]): Cursor {
  return { queue, state, offset: offset + ids.length, lastId: ids.at(-1) ?? "" };
}

function indexOf(sources: readonly Source[], { queue, state }: Source): number {
  return sources.findIndex((source) => source.queue === queue && source.state === state);
}

function formatCursor({ queue, state, offset, lastId }: Cursor): string {
  return Buffer.from(JSON.stringify([queue, state, offset, lastId])).toString("base64url");
}

function parseCursor(text: string, sources: readonly Source[]): Cursor {
  const place = cursorFields(text);
  if (place === undefined || indexOf(sources, place) < 0) {
    const offences = [
      { pointer: "/cursor", message: "expected the nextCursor of an earlier answer to the same query" },
    ];
    throw new HoldfastError("INVALID_REQUEST", "The cursor is not valid", { offences });
  }
  return place;
}

function cursorFields(text: string): Cursor | undefined {
  try {
    const [queue, state, offset, lastId] = JSON.parse(
      Buffer.from(text, "base64url").toString("utf8"),
    ) as unknown[];
    if (typeof queue !== "string" || !Number.isSafeInteger(offset) || Number(offset) < 0) return undefined;
    const base = { queue, state: state as JobState, offset: Number(offset) };
    return typeof lastId === "string" ? { ...base, lastId } : base;
  } catch {
    return undefined;
  }
}
