import { z } from "zod";
import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { declaredName } from "../../core/effect/ledger/ledger-texts.ts";
import { malformed } from "../../platform/lib/parse-json.ts";
import { instantInBody, instantInQuery } from "../jobs/instant-schemas.ts";
import { containsText } from "../jobs/job-filter.ts";
import { type Contracts, type Doubt, listDoubts } from "./doubts.ts";

const text = (max: number, description: string, example: string) =>
  z
    .string()
    .min(1)
    .max(max)
    .optional()
    .meta({ description, examples: [example] });

const kindShape = {
  type: text(200, "The job's type.", "invoice"),
  effect: text(512, "The effect, with or without its index.", "charge"),
  worker: text(512, "The worker that ran it.", "mailer-3"),
  verdict: text(200, "What became of the last thing that it was seen to send.", "answered 500"),
  reasonText: text(200, "A part of why nobody knows, in upper or lower case.", "timed out"),
};
const timesBy = (instant: typeof instantInBody | typeof instantInQuery) => ({
  since: instant("Only those in doubt since this or later."),
  until: instant("Only those in doubt since before this."),
});

/** The members of a filter of doubts in a query. */
export const doubtFilterQuery = { ...kindShape, ...timesBy(instantInQuery) };

/** Which doubts, in a body. What is absent does not count. */
export const doubtFilterSchema = z.strictObject({ ...kindShape, ...timesBy(instantInBody) });
export type DoubtFilter = Readonly<z.output<typeof doubtFilterSchema>>;

export function isNarrow(filter: DoubtFilter): boolean {
  return Object.values(filter).some((value) => value !== undefined);
}

function matches(doubt: Doubt, filter: DoubtFilter): boolean {
  const {
    type,
    effect,
    worker,
    verdict,
    since = Number.NEGATIVE_INFINITY,
    until = Number.POSITIVE_INFINITY,
  } = filter;
  const at = Date.parse(doubt.since);
  return (
    (type === undefined || doubt.type === type) &&
    (effect === undefined || doubt.effect === effect || declaredName(doubt.effect) === effect) &&
    (worker === undefined || doubt.worker === worker) &&
    (verdict === undefined || doubt.verdict === verdict) &&
    at >= since &&
    at < until &&
    (filter.reasonText === undefined || containsText(doubt.reason, filter.reasonText))
  );
}

/** How many doubts one call reads in each partition. */
export const SEARCHED_MAX = 10_000;

export interface FoundDoubts {
  readonly found: readonly Doubt[];
  /** Whether no partition has more than are read. */
  readonly isAll: boolean;
}

/** Finds doubts that match, the oldest first. */
export async function findDoubts(
  partitions: readonly QueueStore[],
  jobs: Contracts,
  filter: DoubtFilter,
  most = SEARCHED_MAX,
): Promise<FoundDoubts> {
  const lists = await Promise.all(partitions.map((store) => listDoubts(store, 0, most, jobs)));
  const found = lists.flat().filter((doubt) => matches(doubt, filter));
  found.sort((a, b) => a.since.localeCompare(b.since));
  return { found, isAll: lists.every(({ length }) => length < most) };
}

/** How acts on many doubts find them. */
export interface DoubtSearch {
  find(filter: DoubtFilter): Promise<FoundDoubts>;
  /** Redis's clock, in milliseconds since 1970. */
  readonly now: number;
}

/** How many one call acts on. */
export const RESOLVED_AT_ONCE_MAX = 1_000;

export const doubtIdSchema = z.strictObject({ jobId: z.string().max(200), effect: z.string().max(512) });
export type DoubtId = Readonly<z.output<typeof doubtIdSchema>>;

/** A doubt in a body. */
export const seenDoubtSchema = doubtIdSchema.extend({
  since: z.iso
    .datetime()
    .optional()
    .meta({ description: "Of the doubt that you have seen: if it is another one by now, it stays." }),
});
export type SeenDoubt = Readonly<z.output<typeof seenDoubtSchema>>;

export function nameOf({ jobId, effect }: DoubtId): string {
  return `${jobId} ${effect}`;
}

/** Whether a doubt is one of these, and not another one of the same effect by now. */
export function isNamed(ids: readonly SeenDoubt[]): (doubt: Doubt) => boolean {
  const since = new Map(ids.map((id) => [nameOf(id), id.since]));
  return (doubt) => since.has(nameOf(doubt)) && [undefined, doubt.since].includes(since.get(nameOf(doubt)));
}

interface Scope {
  readonly ids?: readonly DoubtId[] | undefined;
  readonly filter?: DoubtFilter | undefined;
  readonly all?: true | undefined;
}

/** @throws HoldfastError `INVALID_REQUEST` for anything but ids, a filter or all */
export function requireScope({ ids, filter = {}, all }: Scope): void {
  const given = [ids !== undefined, isNarrow(filter), all === true].filter(Boolean).length;
  if (given === 1) return;
  throw malformed([{ pointer: "", message: "expected either ids, a filter that is not empty, or all" }]);
}

/** How many scripts are on their way to Redis at once. */
export const AT_A_TIME = 50;
