import { queryOptions } from "@tanstack/react-query";
import type { FilterOf } from "../parts/filter-row.tsx";
import type { auditFields } from "../parts/filters.ts";
import type { JobsQuery } from "../service/answers.ts";
import { query, service, withoutEmpty } from "../service/call.ts";
import { newKey } from "../service/new-key.ts";
import { routeUrl } from "../service/place.ts";

const REFRESH_MS = 1_000;
const ENDED_REFRESH_MS = 5_000;
const SHOWN = 50;

/** Those that have not ended first, then the latest. */
export function actsQuery() {
  return queryOptions({
    queryKey: ["acts"],
    queryFn: () => service.acts(SHOWN),
    refetchInterval: ({ state: { data } }) =>
      data?.some(({ endedAt }) => endedAt === null) ? REFRESH_MS : ENDED_REFRESH_MS,
  });
}

/** An act, with what has become of its jobs since. */
export function actQuery(id: string) {
  return queryOptions({
    queryKey: ["acts", "one", id],
    queryFn: () => service.act(id),
    refetchInterval: ENDED_REFRESH_MS,
  });
}

/** An act on all jobs of a filter, whose members are those of `GET /jobs`. Empty ones do not count. */
export interface FilteredAct {
  readonly act: "retry" | "cancel" | "delete";
  readonly filter: Readonly<Record<string, string>>;
}

export function previewQuery({ act, filter }: FilteredAct) {
  return queryOptions({
    queryKey: ["acts", "preview", act, filter],
    queryFn: () => service.previewAct({ act, filter: filterOf(filter) }),
    staleTime: 0,
  });
}

export async function startAct({
  filter,
  ...wanted
}: FilteredAct & { readonly reason: string; readonly before?: string }): Promise<void> {
  await service.startAct({ ...wanted, filter: filterOf(filter) }, { idempotencyKey: newKey() });
}

/** The service says what it expects of each member. */
function filterOf(filter: FilteredAct["filter"]): JobsQuery {
  return withoutEmpty(filter);
}

/** Which entries. Empty fields do not count. */
export type AuditFilter = FilterOf<(typeof auditFields)[number]["name"]>;

/** All entries that match, as a file. */
export function auditUrl(filter: AuditFilter, format: "csv" | "ndjson"): string {
  return routeUrl(`audit/export${query({ ...filter, format })}`).href;
}

const AUDIT_SIZE = 200;
/** The most that one answer has. */
export const PARTS_SIZE = 1_000;
const everything: AuditFilter = { by: "", from: "", to: "" };

/** Who did what, the latest first; one line for an act. */
export function auditQuery(filter = everything) {
  return queryOptions({
    queryKey: ["audit", filter],
    queryFn: () => service.auditTrail(AUDIT_SIZE, withoutEmpty({ ...filter })),
    refetchInterval: ENDED_REFRESH_MS,
  });
}

/** The entries of an act, the latest first. */
export function auditPartsQuery(actId: string) {
  return queryOptions({
    queryKey: ["audit", "parts", actId],
    queryFn: () => service.auditTrail(PARTS_SIZE, { actId }),
    refetchInterval: ENDED_REFRESH_MS,
  });
}
