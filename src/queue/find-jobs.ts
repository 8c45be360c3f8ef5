import { type ErrorCode, errorCodes } from "../errors/error-codes.ts";
import { loadScript } from "../redis/script.ts";
import { jobStateLua } from "./includes.ts";
import { type JobState, jobStates } from "./job-state.ts";
import type { QueueStore } from "./queue-store.ts";

/** Which jobs match. */
export interface JobFilter {
  readonly type?: string | undefined;
  /** The code of their failure, e.g. `HANDLER_FAILED`. */
  readonly code?: string | undefined;
  /** Submitted at or after this, in milliseconds since 1970. */
  readonly from?: number | undefined;
  /** Submitted before this. */
  readonly to?: number | undefined;
}

/** A list of jobs in Redis. The jobs that wait are in two. */
export type JobList = JobState | "held";

export function stateOfList(list: JobList): JobState {
  return list === "held" ? "waiting" : list;
}

/** In the order in which they are read. */
export const jobLists: readonly JobList[] = jobStates.flatMap((state) =>
  state === "waiting" ? (["waiting", "held"] as const) : [state],
);

/** A position in a list of jobs: how many jobs precede it, and the last of them. */
export interface ListPosition {
  readonly queue: string;
  readonly list: JobList;
  readonly offset: number;
  readonly lastId?: string;
}

export interface FoundJobs {
  readonly ids: string[];
  /** How many jobs were read; 0 at the end of the list. */
  readonly scanned: number;
  readonly next: ListPosition;
}

const script = loadScript(import.meta.url, "find-jobs.lua", jobStateLua);

/** With a filter, this many occupy Redis for about 2 ms on a busy machine. */
const SLICE = 500;

const lists: ReadonlySet<JobList> = new Set(["waiting", "active"]);
const newestFirst: ReadonlySet<JobList> = new Set(["completed", "failed"]);
/** A reason that begins with no code of ours counts as this. */
const UNNAMED: ErrorCode = "HANDLER_FAILED";

/**
 * Searches one slice of a list for jobs that match, inside Redis.
 *
 * @param limit how many may match at most
 */
export async function findJobs(
  { client, keys }: QueueStore,
  position: ListPosition,
  filter: JobFilter,
  limit: number,
): Promise<FoundJobs> {
  const { queue, list, offset, lastId = "" } = position;
  const { type = "", code = "", from = "", to = "" } = filter;
  const isFiltered = [type, code, from, to].some((value) => value !== "");
  const reply = await script.run(
    client,
    [keys[list]],
    [
      kindOf(list),
      offset,
      lastId,
      isFiltered ? SLICE : limit,
      limit,
      keys.start,
      type,
      code,
      from,
      to,
      code === UNNAMED ? otherCodes(code) : "",
    ],
  );
  const [scanned, nextOffset, nextLastId, ...ids] = reply as [number, number, string, ...string[]];
  return { ids, scanned, next: { queue, list, offset: nextOffset, lastId: nextLastId } };
}

function kindOf(list: JobList): "list" | "ascending" | "descending" | "held" | "parents" {
  if (list === "held") return list;
  if (list === "waiting-children") return "parents";
  if (lists.has(list)) return "list";
  return newestFirst.has(list) ? "descending" : "ascending";
}

function otherCodes(code: string): string {
  return ` ${Object.keys(errorCodes)
    .filter((other) => other !== code)
    .join(" ")} `;
}
