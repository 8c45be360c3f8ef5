import { queryOptions } from "@tanstack/react-query";
import type { FilterOf } from "../parts/filter-row.tsx";
import type { guardedFields } from "../parts/filters.ts";
import { service, withoutEmpty } from "../service/call.ts";

/** Which to list. Empty fields do not count. */
export type GuardedFilter = FilterOf<(typeof guardedFields)[number]["name"]>;
export type Guarded = Awaited<ReturnType<typeof service.guardedEffects>>[number];
export type GuardedDetail = Awaited<ReturnType<typeof service.guardedEffect>>;

/** How many are listed at most. */
export const LISTED_MAX = 500;
/** Until it has ended, it is read again. */
const READ_AGAIN_MS = 5_000;

export function guardedQuery({ state, ...filter }: GuardedFilter) {
  return queryOptions({
    queryKey: ["guarded", filter, state],
    queryFn: () =>
      service.guardedEffects({
        ...withoutEmpty({ ...filter }),
        // The service says what is wrong with a state that an address has.
        ...(state !== "" && { state: state as Guarded["state"] }),
        limit: LISTED_MAX,
      }),
  });
}

export function oneGuardedQuery(id: string) {
  return queryOptions({
    queryKey: ["guarded", id],
    queryFn: () => service.guardedEffect(id),
    refetchInterval: ({ state: { data } }) => (data?.state === "done" ? false : READ_AGAIN_MS),
  });
}
