import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { type JobState, jobStates } from "../../core/job/job-state.ts";
import { codesForLua } from "../../core/watch/message-pattern.ts";
import { type ErrorCode, errorCodes } from "../../platform/errors/error-codes.ts";
import { begins, integer, text } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import type { JobFilter, JobOrder } from "./job-filter.ts";

/** What Redis can decide of a filter. A message that is encrypted, or a text with other letters than a to z, passes. */
export type StoredFilter = Pick<
  JobFilter,
  "type" | "code" | "errorText" | "messagePattern" | "keyPart" | "from" | "to" | "endedFrom" | "endedTo"
>;

/** A list of jobs in Redis. The jobs that wait are in two. */
export type StateList = JobState | "held";

export function stateOfList(list: StateList): JobState {
  return list === "held" ? "waiting" : list;
}

/** In the order in which they are read. */
export const stateLists: readonly StateList[] = jobStates.flatMap((state) =>
  state === "waiting" ? (["waiting", "held"] as const) : [state],
);

/** What a search reads: a list of one state, or an index of jobs, of some states only. */
export interface JobList {
  readonly queue: string;
  readonly of:
    | { readonly list: StateList }
    | { readonly index: string; readonly states: readonly JobState[] };
  /** @default ended and indexed jobs newest first, the others in the order in which they will run */
  readonly order?: JobOrder | undefined;
}

export interface ListPosition {
  /** How many entries precede it. */
  readonly offset: number;
  /** The first to read of the waiting list; otherwise the last that was read. */
  readonly anchor: string;
  /** The anchor's score in a sorted set; in the waiting list, the last that was read, and how often both were delivered. */
  readonly score: string;
}

export const LIST_START: ListPosition = { offset: 0, anchor: "", score: "" };

export interface FoundJobs {
  readonly ids: string[];
  /** How many jobs were read. */
  readonly scanned: number;
  readonly isEnd: boolean;
  readonly next: ListPosition;
  /** Whether jobs may have been passed over: both jobs by which the position was known have left the list. */
  readonly mayPassOver: boolean;
}

const found = begins([integer, integer, integer, text, text, integer], text);
const script = loadScript(import.meta.url, "find-jobs.lua", found);

/** With a filter, this many occupy Redis for about 2 ms on a busy machine. */
export const SLICE = 500;
/** To find a message's pattern, or to search a submission, takes as long as the rest together. */
const SLOW_SLICE = 200;

const lists: ReadonlySet<StateList> = new Set(["waiting", "active"]);
const newestFirst: ReadonlySet<StateList> = new Set(["completed", "failed"]);
/** A reason that begins with no code of ours counts as this. */
const UNNAMED: ErrorCode = "HANDLER_FAILED";

/**
 * Searches one slice of a list for jobs that match, inside Redis.
 *
 * @param limit how many may match at most
 */
export async function findJobs(
  { client, keys }: QueueStore,
  { of, order }: JobList,
  { offset, anchor, score }: ListPosition,
  filter: StoredFilter,
  limit: number,
): Promise<FoundJobs> {
  const key = "index" in of ? keys.own(of.index) : keys[of.list];
  const wanted = "index" in of ? indexedFilter(of.states, filter) : stateFilter(of.list, filter, order);
  const isFiltered = "index" in of || Object.values(wanted).some((value) => value !== undefined);
  const most = Math.min(limit, SLICE);
  const slice = filter.messagePattern === undefined && filter.keyPart === undefined ? SLICE : SLOW_SLICE;
  const args = [kindOf(of, order), offset, anchor, score, isFiltered ? slice : most, most];
  const reply = await script.run(client, [key], [...args, keys.start, JSON.stringify(wanted)]);
  const [scanned, end, nextOffset, nextAnchor, nextScore, passedOver, ...ids] = reply;
  const next = { offset: nextOffset, anchor: nextAnchor, score: nextScore };
  return { ids, scanned, isEnd: end === 1, next, mayPassOver: passedOver === 1 };
}

export async function countJobs({ client, keys }: QueueStore, list: StateList): Promise<number> {
  if (lists.has(list)) return await client.llen(keys[list]);
  if (list === "held") return await client.zcount(keys.held, "-inf", "(0");
  return await client.zcount(keys[list], list === "waiting-children" ? 0 : "-inf", "+inf");
}

type ListKind =
  | "list"
  | "head"
  | "by-id"
  | "by-id-descending"
  | "ascending"
  | "descending"
  | "index"
  | "index-ascending"
  | "held"
  | "parents";

function kindOf(of: JobList["of"], order: JobOrder | undefined): ListKind {
  if ("index" in of) return order === "oldest" ? "index-ascending" : "index";
  if (of.list === "active") return order === "newest" ? "by-id-descending" : "by-id";
  if (newestFirst.has(of.list)) return order === "oldest" ? "ascending" : "descending";
  if (order === "newest") return lists.has(of.list) ? "head" : "descending";
  if (of.list === "held") return "held";
  if (of.list === "waiting-children") return "parents";
  return lists.has(of.list) ? "list" : "ascending";
}

/** Indexes are scored by submission. */
function indexedFilter(states: readonly JobState[], { from, to, ...filter }: StoredFilter) {
  const isAnyState = jobStates.every((state) => states.includes(state));
  return {
    ...errorFilter(filter),
    scoreFrom: from,
    scoreTo: to,
    endedFrom: filter.endedFrom,
    endedTo: filter.endedTo,
    states: isAnyState ? undefined : states,
  };
}

/** Ended jobs are scored by their end. */
function stateFilter(
  list: StateList,
  { endedFrom, endedTo, ...filter }: StoredFilter,
  order: JobOrder | undefined,
) {
  const scores = newestFirst.has(list) ? { scoreFrom: endedFrom, scoreTo: endedTo } : halfOf(list, order);
  return { ...errorFilter(filter), from: filter.from, to: filter.to, ...scores };
}

/** Held jobs and parents share a set: read backwards, the scores are below 0 of the former, and not of the latter. */
function halfOf(list: StateList, order: JobOrder | undefined) {
  if (order !== "newest") return {};
  if (list === "held") return { scoreTo: 0 };
  return list === "waiting-children" ? { scoreFrom: 0 } : {};
}

function errorFilter({ type, code, errorText, messagePattern, keyPart }: StoredFilter) {
  return {
    type,
    keyPart: keyPart === undefined ? undefined : JSON.stringify(keyPart).slice(1, -1),
    code,
    others: code === UNNAMED ? otherCodes(code) : undefined,
    // Redis knows the cases of these letters alone.
    errorText:
      errorText !== undefined && /^[\x20-\x7e]+$/.test(errorText) ? errorText.toLowerCase() : undefined,
    messagePattern,
    codes: messagePattern === undefined ? undefined : codesForLua,
  };
}

function otherCodes(code: string): string {
  return ` ${Object.keys(errorCodes)
    .filter((other) => other !== code)
    .join(" ")} `;
}
