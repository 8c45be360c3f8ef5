import { z } from "zod";
import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import { parseFailure } from "../../core/job/failure.ts";
import { queueOfId } from "../../core/job/job-id.ts";
import type { ErrorCode } from "../../platform/errors/error-codes.ts";
import type { JobFilter } from "../jobs/job-filter.ts";
import type { JobLists } from "../jobs/job-lists.ts";
import { readKinds, type StoredKind } from "../jobs/job-record.ts";
import { type ActName, orderOf, statesOf } from "./act-on-many.ts";

export interface MatchingJob extends StoredKind {
  /** Null where it has not failed. */
  readonly code: ErrorCode | null;
}

const matchingGroupSchema = z.object({
  type: z.string(),
  code: z.string().nullable().meta({ description: "Null where they have not failed." }),
  count: z.int(),
  exampleIds: z.array(z.string()),
});
/** Matching jobs of one type and code, at most three of them named. */
export type MatchingGroup = Readonly<z.output<typeof matchingGroupSchema>>;

export const matchesSchema = z.object({
  matching: z
    .array(matchingGroupSchema)
    .meta({ description: "The same by type and code, most frequent first." }),
  leftAlone: z.int().meta({
    description:
      "Jobs in doubt, and of a retry also those that were cancelled: unless their code is given, they stay as they are. A job in doubt is never deleted.",
  }),
  nextCursor: z.string().nullable().meta({ description: "Null if all were counted." }),
});
export type Matches = Readonly<z.output<typeof matchesSchema>>;

const SLICE = 500;
/** Whoever is asked waits for it. */
const TIME_MAX_MS = 500;
const EXAMPLES_MAX = 3;

/**
 * Somebody wanted the cancelled ones not to run, and a retry alone does not help the ones in doubt; those are not deleted, either, and
 * nobody should confirm a number that has them.
 */
const onlyByCode: Readonly<Partial<Record<ActName, readonly (ErrorCode | null)[]>>> = {
  retry: ["CANCELLED", "EFFECT_IN_DOUBT"],
  delete: ["EFFECT_IN_DOUBT"],
};

function isLeftAlone(act: ActName, filter: JobFilter, { code }: Pick<MatchingJob, "code">): boolean {
  return onlyByCode[act]?.includes(code) === true && filter.code !== code;
}

/** The jobs that an act is done with: not those that it leaves alone, nor, for a cancellation, those that are cancelled already. */
export function wantedByAct(
  act: ActName,
  filter: JobFilter,
  jobs: readonly MatchingJob[],
): { readonly wanted: MatchingJob[]; readonly leftAlone: number } {
  const open = jobs.filter(({ isCancelled }) => act !== "cancel" || !isCancelled);
  const wanted = open.filter((job) => !isLeftAlone(act, filter, job));
  return { wanted, leftAlone: open.length - wanted.length };
}

/** Reads jobs by id, in order, without those that are gone. */
export async function readMatching(
  stores: QueueStores,
  act: ActName,
  ids: readonly string[],
): Promise<MatchingJob[]> {
  const queues = [...new Set(ids.map((id) => queueOfId(id) ?? ""))];
  const read = queues.map((queue) =>
    readKinds(
      stores.of(queue),
      ids.filter((id) => queueOfId(id) === queue),
    ),
  );
  const kinds = new Map((await Promise.all(read)).flat().map((kind) => [kind.id, kind]));
  return ids.flatMap((id) => {
    const kind = kinds.get(id);
    if (kind === undefined || kind.type === "") return [];
    const isFailed = act !== "cancel" && !kind.isCompleted;
    return [{ ...kind, code: isFailed ? parseFailure(kind.reason).code : null }];
  });
}

interface Counted {
  readonly act: ActName;
  readonly filter: JobFilter;
  readonly cursor?: string | undefined;
  /** Whether it is enough to find some. @default false */
  readonly isBrief?: boolean;
}

/** Counts what an act would be about, for half a second. */
export async function countMatches(
  { lists, stores }: { readonly lists: JobLists; readonly stores: QueueStores },
  { act, filter, cursor, isBrief = false }: Counted,
): Promise<Matches> {
  const groups: MatchingGroup[] = [];
  let leftAlone = 0;
  let next: string | null = cursor ?? null;
  const endAt = performance.now() + TIME_MAX_MS;
  do {
    const { found, nextCursor } = await lists.ids(filter, {
      limit: SLICE,
      cursor: next ?? undefined,
      states: statesOf[act],
      order: orderOf[act],
    });
    const some = wantedByAct(act, filter, await readMatching(stores, act, found));
    leftAlone += some.leftAlone;
    groups.push(...groupsOf(some.wanted));
    next = nextCursor;
    if (isBrief && groups.length > 0) break;
  } while (next !== null && performance.now() < endAt);
  return { matching: mergeGroups(groups), leftAlone, nextCursor: next };
}

function groupsOf(jobs: readonly MatchingJob[]): MatchingGroup[] {
  return mergeGroups(jobs.map(({ id, type, code }) => ({ type, code, count: 1, exampleIds: [id] })));
}

export function mergeGroups(groups: readonly MatchingGroup[]): MatchingGroup[] {
  const merged = new Map<string, MatchingGroup>();
  for (const group of groups) {
    const name = `${group.type}\n${group.code}`;
    const { count, exampleIds } = merged.get(name) ?? { count: 0, exampleIds: [] };
    const examples = exampleIds.length < EXAMPLES_MAX ? [...exampleIds, ...group.exampleIds] : exampleIds;
    merged.set(name, { ...group, count: count + group.count, exampleIds: examples.slice(0, EXAMPLES_MAX) });
  }
  return [...merged.values()].sort((a, b) => b.count - a.count);
}

export function countOf(groups: readonly MatchingGroup[]): number {
  return groups.reduce((sum, { count }) => sum + count, 0);
}
