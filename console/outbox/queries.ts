import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { service, withoutEmpty } from "../service/call.ts";

const REFRESH_MS = 3_000;
const PAGE_SIZE = 50;
/** PostgreSQL's statistics are up to ten seconds old: over a shorter time they jump. */
const RATE_WINDOW_MS = 30_000;

type Depth = Awaited<ReturnType<typeof service.outbox>>;

/** What the outbox has, and how many rows a second came and went; null until that is measured. */
export interface OutboxReading extends Depth {
  readonly addedPerSecond: number | null;
  readonly removedPerSecond: number | null;
}

interface Sample extends Pick<Depth, "added" | "removed"> {
  readonly at: number;
}

let samples: readonly Sample[] = [];

export function outboxQuery() {
  return queryOptions({
    queryKey: ["outbox", "depth"],
    queryFn: async () => withRates(await service.outbox()),
    refetchInterval: REFRESH_MS,
  });
}

function withRates(depth: Depth): OutboxReading {
  const latest = { at: performance.now(), added: depth.added, removed: depth.removed };
  // After a reset of the statistics the older ones are of no use.
  const alike = samples.filter(({ at, added }) => latest.at - at <= RATE_WINDOW_MS && added <= latest.added);
  const [first] = alike;
  samples = [...alike, latest];
  if (first === undefined) return { ...depth, addedPerSecond: null, removedPerSecond: null };
  const seconds = (latest.at - first.at) / 1_000;
  return {
    ...depth,
    addedPerSecond: (latest.added - first.added) / seconds,
    removedPerSecond: Math.max(0, latest.removed - first.removed) / seconds,
  };
}

/** The oldest first, page after page. */
export function parkedQuery() {
  return infiniteQueryOptions({
    queryKey: ["outbox", "parked"],
    queryFn: ({ pageParam }) =>
      service.parkedRows({ ...withoutEmpty({ after: pageParam }), limit: PAGE_SIZE }),
    initialPageParam: "",
    getNextPageParam: (page) => (page.length < PAGE_SIZE ? undefined : page.at(-1)?.id),
    select: ({ pages }) => pages.flat(),
  });
}

export type ParkedRow = Awaited<ReturnType<typeof service.parkedRows>>[number];
