import { infiniteQueryOptions, queryOptions, useInfiniteQuery } from "@tanstack/react-query";
import { doubtFields } from "../parts/filters.ts";
import type { Doubt } from "../service/answers.ts";
import { service, withoutEmpty } from "../service/call.ts";

/** A doubt as a row. */
export type DoubtRow = Doubt & { readonly id: string };

const PAGE_SIZE = 200;

/** Which doubts to list. Empty fields do not count. */
export type DoubtFilter = Readonly<Partial<Record<(typeof doubtFilterMembers)[number], string>>>;

/** Those of the form, and the verdict that was chosen. */
export const doubtFilterMembers = [...doubtFields.map(({ name }) => name), "verdict"] as const;

export function doubtsQuery(filter: DoubtFilter = {}) {
  return infiniteQueryOptions({
    queryKey: ["doubts", filter],
    queryFn: ({ pageParam }) => readPage(filter, pageParam),
    initialPageParam: 0,
    getNextPageParam: (page, _pages, offset) => (page.length < PAGE_SIZE ? undefined : offset + PAGE_SIZE),
    select: ({ pages }) => rowsOf(pages.flat()),
  });
}

/** Those that match, in groups that look alike. */
export function doubtGroupsQuery(filter: DoubtFilter) {
  return queryOptions({
    queryKey: ["doubts", "groups", filter],
    queryFn: () => service.doubtGroups(withoutEmpty({ ...filter })),
  });
}

/** An effect in doubt, with its entry of the list of doubts if it was opened from there. */
export interface DoubtToResolve {
  readonly jobId: string;
  readonly effect: string;
  readonly doubt?: Doubt;
}

/** Its entry of the list of doubts, as far as that is read. */
export function useDoubt({ jobId, effect, doubt }: DoubtToResolve): Doubt | undefined {
  const listed = useInfiniteQuery({ ...doubtsQuery(), enabled: doubt === undefined });
  return doubt ?? listed.data?.find((row) => row.jobId === jobId && row.effect === effect);
}

/** As many as one import looks at. */
const READ_MAX = 10_000;

/** All that match, the oldest first. */
export async function readDoubts(filter: DoubtFilter): Promise<DoubtRow[]> {
  const doubts: Doubt[] = [];
  for (let offset = 0; offset < READ_MAX; offset += PAGE_SIZE) {
    const page = await readPage(filter, offset);
    doubts.push(...page);
    if (page.length < PAGE_SIZE) break;
  }
  return rowsOf(doubts);
}

function readPage(filter: DoubtFilter, offset: number): Promise<readonly Doubt[]> {
  return service.doubts({ ...withoutEmpty({ ...filter }), offset, limit: PAGE_SIZE });
}

/** Pages can overlap: a doubt that is resolved meanwhile moves the others up. */
function rowsOf(doubts: readonly Doubt[]): DoubtRow[] {
  const rows = doubts.map((doubt) => ({ ...doubt, id: `${doubt.jobId} ${doubt.effect}` }));
  return [...new Map(rows.map((row) => [row.id, row])).values()];
}
