import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import type { jobFields } from "../parts/filters.ts";
import type { JobPage, JobsQuery, ListQuery } from "../service/answers.ts";
import { query, service, withoutEmpty } from "../service/call.ts";
import { routeUrl } from "../service/place.ts";

/** Which jobs to list, as a form has it. Empty fields do not count. */
export type JobFilter = Readonly<Record<(typeof jobFields)[number]["name"] | "idempotencyKey", string>>;

/** A filter, also by error code for the page of failures. */
export type ListFilter = Readonly<Partial<Record<keyof JobsQuery | "order", string>>>;

/** The filter in the address of the page of jobs. */
export function addressOf(filter: ListFilter): string {
  return query(filter);
}

/** All jobs that match, as a file. */
export function exportUrl(filter: ListFilter, format: "csv" | "ndjson"): string {
  return routeUrl(`jobs/export${query({ ...filter, format })}`).href;
}

const PAGE_SIZE = 100;
const REFRESH_MS = 3_000;
const ENDED_REFRESH_MS = 10_000;

/** Jobs, page after page. Refreshes only while there is one page: a long list must not change while it is read. */
export function jobsQuery(filter: ListFilter) {
  return infiniteQueryOptions({
    queryKey: ["jobs", filter],
    queryFn: ({ pageParam }) =>
      // The service says what it expects of each member.
      service.list({
        ...(withoutEmpty({ ...filter, limit: PAGE_SIZE, cursor: pageParam }) as ListQuery),
        ...(pageParam === null && isOfAllFailed(filter) && { total: true }),
      }),
    initialPageParam: null as string | null,
    getNextPageParam: ({ nextCursor }) => nextCursor,
    refetchInterval: ({ state: { data } }) => refreshMs(data?.pages ?? []),
    select: ({ pages }) => ({
      jobs: uniqueById(pages.flatMap(({ jobs }) => jobs)),
      pages: pages.length,
      scanned: scannedFor(pages),
      kinds: pages[0]?.total?.kinds,
      mayMiss: pages.some(({ mayMiss }) => mayMiss === true),
    }),
  });
}

/** Of these alone the service knows what they are to people without reading all. */
function isOfAllFailed({ state, queue: _, order: __, ...others }: ListFilter): boolean {
  return state === "failed" && Object.values(others).every((value) => value === undefined || value === "");
}

/** The more jobs Redis searches for a page, the less often it refreshes. */
function refreshMs(pages: readonly JobPage[]): number | false {
  return pages.length > 1 ? false : Math.max(REFRESH_MS, scannedFor(pages));
}

function scannedFor(pages: readonly JobPage[]): number {
  return pages.reduce((total, { scanned }) => total + scanned, 0);
}

/** Refreshes slowly, because no stream reports that somebody else retries an ended job. */
export function jobQuery(id: string) {
  return queryOptions({
    queryKey: ["job", id],
    queryFn: () => service.detail(id),
    refetchInterval: ({ state }) => (state.error === null ? ENDED_REFRESH_MS : false),
  });
}

export function typesQuery() {
  return queryOptions({
    queryKey: ["types"],
    queryFn: () => service.types(),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** A job that moves while the list is read can be on two pages. */
function uniqueById<T extends { readonly id: string }>(rows: readonly T[]): T[] {
  return [...new Map(rows.map((row) => [row.id, row])).values()];
}
