import { queryOptions } from "@tanstack/react-query";
import type { PastTick, ScheduleStatus, TickExplanation } from "../service/answers.ts";
import { read } from "../service/call.ts";

const REFRESH_MS = 10_000;
const NEXT_SHOWN = 5;
export const TICKS_SHOWN = 48;

export function schedulesQuery() {
  return queryOptions({
    queryKey: ["schedules"],
    queryFn: ({ signal }) =>
      read<{ readonly schedules: readonly ScheduleStatus[] }>(`schedules?next=${NEXT_SHOWN}`, signal),
    refetchInterval: REFRESH_MS,
    select: ({ schedules }) => schedules,
  });
}

/** Oldest first. */
export function ticksQuery(name: string) {
  return queryOptions({
    queryKey: ["ticks", name],
    queryFn: ({ signal }) =>
      read<{ readonly ticks: readonly PastTick[] }>(`${pathOf(name)}/ticks?limit=${TICKS_SHOWN}`, signal),
    refetchInterval: REFRESH_MS,
    select: ({ ticks }) => ticks.toReversed(),
  });
}

export function explanationQuery(name: string, at: string) {
  return queryOptions({
    queryKey: ["explanation", name, at],
    queryFn: ({ signal }) => read<TickExplanation>(`${pathOf(name)}/ticks/${encodeURIComponent(at)}`, signal),
  });
}

export function pathOf(name: string): string {
  return `schedules/${encodeURIComponent(name)}`;
}
