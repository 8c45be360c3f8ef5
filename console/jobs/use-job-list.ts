import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import type { ListedJob } from "../service/answers.ts";
import { type JobFilter, jobsQuery } from "./queries.ts";

/** A screen's worth of rows; pages can be short, even empty, and then the next one is asked for at once. */
const ENOUGH = 30;
/** After so many pages with too little in them a person says whether to look on. */
const PAGES_AT_ONCE = 50;

/** @param keeps only jobs that this is true of, where the service cannot filter by it */
export function useJobList(filter: Partial<JobFilter>, keeps: (job: ListedJob) => boolean = () => true) {
  const list = useInfiniteQuery(jobsQuery(filter));
  const { data, hasNextPage, isFetchingNextPage, fetchNextPage, isFetchNextPageError } = list;
  const jobs = (data?.jobs ?? []).filter(keeps);
  const isShort = hasNextPage && jobs.length < ENOUGH;
  const isPausing = isShort && (data?.pages ?? 0) % PAGES_AT_ONCE === 0;
  const goesOn = isShort && !isPausing && !isFetchingNextPage && !isFetchNextPageError;

  useEffect(() => {
    if (goesOn) void fetchNextPage();
  }, [goesOn, fetchNextPage]);

  return {
    list,
    jobs,
    /** It has looked through many pages and found little; `more` looks on. */
    isPausing,
    more: { load: () => void fetchNextPage(), isLoading: isFetchingNextPage },
  };
}
