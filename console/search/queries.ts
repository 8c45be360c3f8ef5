import { queryOptions } from "@tanstack/react-query";
import type { JobPage } from "../service/answers.ts";
import { service } from "../service/call.ts";

export type SearchFilter =
  | { readonly idempotencyKey: string }
  | { readonly search: string }
  | { readonly tag: string };

/** A page with its total, which was asked for. */
export type Found = JobPage & { readonly total: NonNullable<JobPage["total"]> };

const SHOWN = 10;

/** The first jobs that match, and how many do. */
export function foundQuery(filter: SearchFilter) {
  return queryOptions({
    queryKey: ["jobs", "found", filter],
    queryFn: async () => (await service.list({ ...filter, limit: SHOWN, total: true })) as Found,
  });
}
