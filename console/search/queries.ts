import { queryOptions } from "@tanstack/react-query";
import type { JobPage } from "../service/answers.ts";
import { query, read } from "../service/call.ts";

export type SearchFilter = { readonly idempotencyKey: string } | { readonly tag: string };

export type Found = JobPage & { readonly total: { readonly count: number; readonly isExact: boolean } };

const SHOWN = 10;

/** The first jobs that match, and how many do. */
export function foundQuery(filter: SearchFilter) {
  return queryOptions({
    queryKey: ["jobs", "found", filter],
    queryFn: ({ signal }) => read<Found>(`jobs${query({ ...filter, limit: SHOWN, total: "true" })}`, signal),
  });
}
