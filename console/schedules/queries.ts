import { queryOptions } from "@tanstack/react-query";
import { service } from "../service/call.ts";

const REFRESH_MS = 10_000;
const NEXT_SHOWN = 5;
export const TICKS_SHOWN = 48;

export function schedulesQuery() {
  return queryOptions({
    queryKey: ["schedules"],
    queryFn: () => service.schedules(NEXT_SHOWN),
    refetchInterval: REFRESH_MS,
  });
}

/** Oldest first. */
export function ticksQuery(name: string) {
  return queryOptions({
    queryKey: ["ticks", name],
    queryFn: () => service.ticks(name, TICKS_SHOWN),
    refetchInterval: REFRESH_MS,
    select: (ticks) => ticks.toReversed(),
  });
}

export function explanationQuery(name: string, at: string) {
  return queryOptions({
    queryKey: ["explanation", name, at],
    queryFn: () => service.explainTick(name, new Date(at)),
  });
}
