import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import type { ScheduleStatus } from "../service/answers.ts";
import { service, withoutEmpty } from "../service/call.ts";

const REFRESH_MS = 10_000;
const NEXT_SHOWN = 5;
const TICKS_SHOWN = 48;

/** Each row has its ticks, so a page is short. */
const PAGE_SIZE = 20;

/** @param prefix what the names begin with; empty: any */
export function schedulesQuery(prefix: string) {
  return infiniteQueryOptions({
    queryKey: ["schedules", prefix],
    queryFn: ({ pageParam }) =>
      service.schedules({
        ...withoutEmpty({ prefix, cursor: pageParam }),
        limit: PAGE_SIZE,
        next: NEXT_SHOWN,
        past: TICKS_SHOWN,
      }),
    initialPageParam: "",
    getNextPageParam: ({ nextCursor }) => nextCursor,
    select: ({ pages }) => pages.flatMap(({ schedules }) => schedules),
    refetchInterval: REFRESH_MS,
  });
}

/** One schedule as it is now; undefined if there is none. */
export async function readSchedule(name: string): Promise<ScheduleStatus | undefined> {
  const { schedules } = await service.schedules({ prefix: name, limit: 1 });
  return schedules.find((schedule) => schedule.name === name);
}

export function explanationQuery(name: string, at: string) {
  return queryOptions({
    queryKey: ["explanation", name, at],
    queryFn: () => service.explainTick(name, new Date(at)),
  });
}

/** What was put, read anew each time somebody wants to change it. */
export function definitionQuery(name: string) {
  return queryOptions({
    queryKey: ["schedule", name],
    queryFn: () => service.scheduleDefinition(name),
    staleTime: 0,
    gcTime: 0,
    refetchOnWindowFocus: false,
  });
}
