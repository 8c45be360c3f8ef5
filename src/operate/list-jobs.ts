import type { ListedJob } from "../status/job-status.ts";
import type { JobFilter } from "./job-filter.ts";
import type { JobLists, JobTotal } from "./job-lists.ts";

export interface JobQuery extends JobFilter {
  /** 1 to 200. */
  readonly limit: number;
  /** `nextCursor` of an earlier page. */
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
  /** All jobs that match, if asked for. */
  readonly total?: JobTotal;
}

/**
 * Lists jobs: ended ones with the latest first, the others with the next to run first.
 *
 * @throws HoldfastError `INVALID_REQUEST` for an invalid cursor
 */
export async function listJobs(
  lists: JobLists,
  { limit, cursor, total: isCounted, ...filter }: JobQuery,
): Promise<JobPage> {
  const [{ found, nextCursor, scanned }, total] = await Promise.all([
    lists.read(filter, { limit, cursor }),
    isCounted ? lists.count(filter) : undefined,
  ]);
  return { jobs: found, nextCursor, scanned, ...(total && { total }) };
}
