import type { ListedJob } from "../status/job-status.ts";
import type { JobFilter } from "./job-filter.ts";
import type { JobLists } from "./job-lists.ts";

export interface JobQuery extends JobFilter {
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

/**
 * Lists jobs: ended ones with the latest first, the others with the next to run first.
 *
 * @throws HoldfastError `INVALID_REQUEST` for an invalid cursor
 */
export async function listJobs(lists: JobLists, { limit, cursor, ...filter }: JobQuery): Promise<JobPage> {
  const { found, nextCursor, scanned } = await lists.read(filter, { limit, cursor });
  return { jobs: found, nextCursor, scanned };
}
