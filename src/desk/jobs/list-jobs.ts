import type { JobOrder } from "../../core/job/job-state.ts";
import type { ListedJob } from "../../core/job/job-status.ts";
import type { JobFilter } from "./job-filter.ts";
import type { JobLists, JobTotal } from "./job-lists.ts";

export interface JobQuery extends JobFilter {
  /** 1 to 200. */
  readonly limit: number;
  /** Within each state. @default ended and tagged jobs newest first, the others in the order in which they will run */
  readonly order?: JobOrder | undefined;
  /** `nextCursor` of an earlier page, with the same order. */
  readonly cursor?: string | undefined;
  /** Also counts all jobs that match. @default false */
  readonly total?: boolean | undefined;
}

export interface JobPage {
  readonly jobs: ListedJob[];
  /** Null after the last page. A page can be short, even empty, and not be the last. */
  readonly nextCursor: string | null;
  /** How many jobs were read for the page. */
  readonly scanned: number;
  /** True if jobs may be missing between the former page and this one: those by which it knew where to go on were removed. */
  readonly mayMiss?: true;
  /** All jobs that match, if asked for. */
  readonly total?: JobTotal;
}

/**
 * Lists jobs, state by state.
 *
 * @throws HoldfastError `INVALID_REQUEST` for an invalid cursor
 */
export async function listJobs(
  lists: JobLists,
  { limit, cursor, order, total: isCounted, ...filter }: JobQuery,
): Promise<JobPage> {
  const [{ found, nextCursor, scanned, mayMiss }, total] = await Promise.all([
    lists.read(filter, { limit, cursor, order }),
    isCounted ? lists.count(filter) : undefined,
  ]);
  return { jobs: found, nextCursor, scanned, ...(mayMiss && { mayMiss }), ...(total && { total }) };
}
