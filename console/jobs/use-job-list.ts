import { useInfiniteQuery } from "@tanstack/react-query";
import { useCallback, useEffect } from "react";
import { count, counted } from "../parts/format.ts";
import { jobsQuery, type ListFilter } from "./queries.ts";

/** A screen's worth of rows. The service looks at many jobs for a page; where few match, pages are short, even empty. */
const ENOUGH = 30;
/** After so many pages with too little in them a person says whether to look on. */
const PAGES_AT_ONCE = 2;

export function useJobList(filter: ListFilter) {
  const list = useInfiniteQuery(jobsQuery(filter));
  const { data, hasNextPage, isFetchingNextPage, fetchNextPage, isFetchNextPageError } = list;
  const jobs = data?.jobs ?? [];
  const isShort = hasNextPage && jobs.length < ENOUGH;
  const isPausing = isShort && (data?.pages ?? 0) % PAGES_AT_ONCE === 0;
  const goesOn = isShort && !isPausing && !isFetchingNextPage && !isFetchNextPageError;

  // A page that is under way already is waited for: begun anew, it would cost the service the same look again.
  const load = useCallback(() => void fetchNextPage({ cancelRefetch: false }), [fetchNextPage]);
  useEffect(() => {
    if (goesOn) load();
  }, [goesOn, load]);

  return {
    list,
    jobs,
    /** How many jobs the service has looked at for them. */
    scanned: data?.scanned ?? 0,
    /** It has looked at many jobs and found few; `lookFurther` looks on. */
    isPausing,
    lookFurther: load,
    /** For scrolling on. While there is less than a screen, scrolling is not what asks for more. */
    more: hasNextPage && !isShort ? { load, isLoading: isFetchingNextPage } : undefined,
  };
}

/** How many were found, and among how many where that is not all. */
export function foundText(found: number, scanned: number, hasMore: boolean): string {
  if (!hasMore) return counted(found, "job");
  return scanned > found
    ? `${counted(found, "job")} among the first ${count(scanned)}`
    : `The first ${counted(found, "job")}`;
}
