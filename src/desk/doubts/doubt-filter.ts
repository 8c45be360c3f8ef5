import { z } from "zod";
import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { declaredName } from "../../core/effect/ledger/ledger-texts.ts";
import type { FilterMember, FilterOption } from "../../core/status/filter-member.ts";
import { malformed } from "../../platform/lib/parse-json.ts";
import { containsText, defineFilter, givenMembers, isNarrow, option } from "../filter.ts";
import { INSTANT_EXPECTED } from "../jobs/instant.ts";
import type { instantInBody, instantInQuery } from "../jobs/instant-schemas.ts";
import { type Contracts, type Doubt, listDoubts } from "./doubts.ts";

interface Member<Schema = z.ZodType, Wanted = NonNullable<z.output<Schema>>> extends FilterMember<Schema> {
  matches(doubt: Doubt, wanted: Wanted): boolean;
}

function member<Schema extends z.ZodType>(
  schema: Schema,
  matches: Member<Schema>["matches"],
  given: FilterOption,
): Member<Schema> {
  return { schema, matches, option: given };
}

const text = (max: number, description: string, example: string) =>
  z
    .string()
    .min(1)
    .max(max)
    .optional()
    .meta({ description, examples: [example] });

const kinds = {
  type: member(
    text(200, "The job's type.", "invoice"),
    (doubt, type) => doubt.type === type,
    option("--type <type>", "only doubts of jobs of this type", "a job type", "Type"),
  ),
  effect: member(
    text(512, "The effect, with or without its index.", "charge"),
    ({ effect }, wanted) => effect === wanted || declaredName(effect) === wanted,
    option(
      "--effect <name>",
      "only doubts about this effect, with or without its index",
      "an effect's name",
      "Effect",
    ),
  ),
  worker: member(
    text(512, "The worker that ran it.", "mailer-3"),
    ({ worker }, wanted) => worker === wanted,
    option("--worker <name>", "only doubts of what this worker ran", "the name of a worker"),
  ),
  verdict: member(
    text(200, "What became of the last thing that it was seen to send.", "answered 500"),
    ({ verdict }, wanted) => verdict === wanted,
    option(
      "--verdict <text>",
      'only doubts of which this was seen last, such as "answered 500"',
      "1 to 200 characters",
    ),
  ),
  reasonText: member(
    text(200, "A part of why nobody knows, in upper or lower case.", "timed out"),
    ({ reason }, part) => containsText(reason, part),
    option(
      "--reason <text>",
      "only doubts whose reason contains this text",
      "1 to 200 characters",
      "Reason contains",
    ),
  ),
};

const instantsBy = (instant: typeof instantInBody | typeof instantInQuery) => ({
  since: member(
    instant("Only those in doubt since this or later."),
    ({ since }, from) => Date.parse(since) >= from,
    option(
      "--since <when>",
      "only doubts that began at or after this: 2026-12-01T09:00:00Z, 2026-12-01 or 12h",
      INSTANT_EXPECTED,
    ),
  ),
  until: member(
    instant("Only those in doubt since before this."),
    ({ since }, to) => Date.parse(since) < to,
    option("--until <when>", "only doubts that began before this", INSTANT_EXPECTED),
  ),
});

/** Which doubts, for lists and for acts on many. What is absent does not count. */
export const doubtFilter = defineFilter(kinds, instantsBy);
export type DoubtFilter = Readonly<z.output<typeof doubtFilter.schema>>;

const members = doubtFilter.members as Readonly<Record<string, Member<z.ZodType, unknown>>>;

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
  const given = givenMembers(members, filter);
  const found = lists
    .flat()
    .filter((doubt) => given.every(([{ matches }, wanted]) => matches(doubt, wanted)));
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

export function doubtName({ jobId, effect }: DoubtId): string {
  return `${jobId} ${effect}`;
}

/** Whether a doubt is one of these, and not another one of the same effect by now. */
export function isNamed(ids: readonly SeenDoubt[]): (doubt: Doubt) => boolean {
  const since = new Map(ids.map((id) => [doubtName(id), id.since]));
  return (doubt) =>
    since.has(doubtName(doubt)) && [undefined, doubt.since].includes(since.get(doubtName(doubt)));
}

interface Scope {
  readonly ids?: readonly DoubtId[] | undefined;
  readonly filter?: DoubtFilter | undefined;
  readonly all?: true | undefined;
}

/** @throws HoldfastError `INVALID_REQUEST` for anything but ids, a filter or all */
export function requireDoubtScope({ ids, filter = {}, all }: Scope): void {
  const given = [ids !== undefined, isNarrow(filter), all === true].filter(Boolean).length;
  if (given === 1) return;
  throw malformed([{ pointer: "", message: "expected either ids, a filter that is not empty, or all" }]);
}

/** Of one call, or of several that belong together: their entries in the audit log have it in common. */
export const actIdSchema = z.uuid().optional().meta({
  description:
    "`actId` of the first call, of those that belong together: the audit log's entries of all have it.",
});

/** How many scripts are on their way to Redis at once. */
export const AT_A_TIME = 50;
