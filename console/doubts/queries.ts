import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { auditQuery, auditRows } from "../acts/queries.ts";
import type { Doubt } from "../service/answers.ts";
import { query, read } from "../service/call.ts";

/** A doubt as a row. */
export type DoubtRow = Doubt & { readonly id: string };

const PAGE_SIZE = 200;

/** Which doubts to list. Empty fields do not count. */
export interface DoubtFilter {
  readonly type?: string;
  readonly effect?: string;
  readonly reasonText?: string;
}

export function doubtsQuery(filter: DoubtFilter = {}) {
  return infiniteQueryOptions({
    queryKey: ["doubts", filter],
    queryFn: ({ pageParam, signal }) =>
      read<{ readonly doubts: readonly Doubt[] }>(
        `doubts${query({ ...filter, offset: pageParam, limit: PAGE_SIZE })}`,
        signal,
      ),
    initialPageParam: 0,
    getNextPageParam: ({ doubts }, _pages, offset) =>
      doubts.length < PAGE_SIZE ? undefined : offset + PAGE_SIZE,
    select: ({ pages }) => rowsOf(pages.flatMap(({ doubts }) => doubts)),
  });
}

/** As many as one import looks at. */
const READ_MAX = 10_000;

/** All that match, the oldest first. */
export async function readDoubts(filter: DoubtFilter): Promise<DoubtRow[]> {
  const doubts: Doubt[] = [];
  for (let offset = 0; offset < READ_MAX; offset += PAGE_SIZE) {
    const page = await read<{ readonly doubts: readonly Doubt[] }>(
      `doubts${query({ ...filter, offset, limit: PAGE_SIZE })}`,
    );
    doubts.push(...page.doubts);
    if (page.doubts.length < PAGE_SIZE) break;
  }
  return rowsOf(doubts);
}

/** Pages can overlap: a doubt that is resolved meanwhile moves the others up. */
function rowsOf(doubts: readonly Doubt[]): DoubtRow[] {
  const rows = doubts.map((doubt) => ({ ...doubt, id: `${doubt.jobId} ${doubt.effect}` }));
  return [...new Map(rows.map((row) => [row.id, row])).values()];
}

/** Resolved doubts, of the audit log. */
export function resolvedQuery() {
  return queryOptions({
    ...auditQuery(),
    select: (log) => auditRows(log).filter(({ effect }) => effect !== ""),
  });
}
