import { useInfiniteQuery } from "@tanstack/react-query";
import { useCallback, useEffect } from "react";
import { count, counted } from "../parts/format.ts";
import { jobsQuery, type ListFilter } from "./queries.ts";

/** A screen's worth of rows. If few jobs match, the service's pages are short, even empty. */
const ENOUGH = 30;
/** After this many pages with too few rows, a person decides whether to search further. */
const PAGES_AT_ONCE = 2;

export function useJobList(filter: ListFilter) {
  const list = useInfiniteQuery(jobsQuery(filter));
  const { data, hasNextPage, isFetchingNextPage, fetchNextPage, isFetchNextPageError } = list;
  const jobs = data?.jobs ?? [];
  const isShort = hasNextPage && jobs.length < ENOUGH;
  const isPausing = isShort && (data?.pages ?? 0) % PAGES_AT_ONCE === 0;
  const goesOn = isShort && !isPausing && !isFetchingNextPage && !isFetchNextPageError;

  // Does not restart a running request, which would make the service search again.
  const load = useCallback(() => void fetchNextPage({ cancelRefetch: false }), [fetchNextPage]);
  useEffect(() => {
    if (goesOn) load();
  }, [goesOn, load]);

  return {
    list,
    jobs,
    /** How many jobs the service has searched. */
    scanned: data?.scanned ?? 0,
    /** It has searched many jobs and found few. `searchFurther` continues. */
    isPausing,
    searchFurther: load,
    /** For scrolling. Unset while there is less than a screen. */
    more: hasNextPage && !isShort ? { load, isLoading: isFetchingNextPage } : undefined,
  };
}

/** How many were found, and among how many if that is not all. */
export function foundText(found: number, scanned: number, hasMore: boolean): string {
  if (!hasMore) return counted(found, "job");
  return scanned > found
    ? `${counted(found, "job")} among the first ${count(scanned)}`
    : `The first ${counted(found, "job")}`;
}
