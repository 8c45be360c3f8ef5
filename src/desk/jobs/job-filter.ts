import { z } from "zod";
import { queueOfPartition } from "../../core/bullmq/store/partitions.ts";
import type { KeyedHash } from "../../core/job/dedup-key.ts";
import { queueOfId } from "../../core/job/job-id.ts";
import { type JobState, jobStates } from "../../core/job/job-state.ts";
import {
  type FilteredJob,
  type FilterOption,
  type JobFilterMember,
  jobFilterMember,
} from "../../core/status/filter-member.ts";
import { messagePattern as patternOf } from "../../core/watch/message-pattern.ts";
import { type All, features, type ListedFeature } from "../../features/index.ts";
import { type ErrorCode, errorCodes } from "../../platform/errors/error-codes.ts";
import { isoTime } from "../../platform/lib/iso-time.ts";
import { containsText, defineFilter, givenMembers, option } from "../filter.ts";
import { INSTANT_EXPECTED } from "./instant.ts";
import type { instantInBody, instantInQuery } from "./instant-schemas.ts";

const codes = Object.keys(errorCodes) as ErrorCode[];

const PART_EXPECTED = "1 to 200 characters";

type MatchesOf<Schema> = JobFilterMember<Schema, NonNullable<z.output<Schema>>>;

function member<Schema extends z.ZodType>(
  schema: Schema,
  matches: NonNullable<MatchesOf<Schema>["matches"]>,
  text: MatchesOf<Schema>["text"],
  given: FilterOption,
) {
  return jobFilterMember(schema, { matches, text, option: given });
}

const name = (example: string) =>
  z
    .string()
    .min(1)
    .max(64)
    .optional()
    .meta({ examples: [example] });
const part = (description: string, example: string) =>
  z
    .string()
    .min(1)
    .max(200)
    .optional()
    .meta({ description, examples: [example] });

/** Whether people mean this state: BullMQ has jobs that wait by priority, or by fairness, in a state of their own. */
export function isInState(state: JobState, wanted: JobState): boolean {
  return state === wanted || (wanted === "waiting" && state === "prioritized");
}

/** What the name of an index begins with, of the jobs that an act has retried: retry-job.lua adds them. */
export const RETRIED_BY = "retried:";

/** Every member but instants. Where Redis can decide it, find-jobs.lua does so first. */
const kinds = {
  queue: member(
    name("default"),
    ({ id }, queue) => queueOfPartition(queueOfId(id) ?? "") === queue,
    (queue) => `in queue ${queue}`,
    option("--queue <name>", "only jobs in this queue", "the name of a queue", "Queue"),
  ),
  type: member(
    name("welcome-email"),
    (job, type) => job.type === type,
    (type) => `of type ${type}`,
    option("--type <type>", "only jobs of this type", "a job type", "Type"),
  ),
  state: member(
    z
      .enum(jobStates)
      .optional()
      .meta({
        description: "`waiting` finds all that wait for a worker: those in state `prioritized`, too.",
        examples: ["failed"],
      }),
    // A job can change its state after its list is read.
    (job, state) => isInState(job.state, state),
    (state) => `that are ${state}`,
    option(
      "--state <state>",
      `one of ${jobStates.join(", ")}; waiting finds those in state prioritized, too`,
      `one of ${jobStates.join(", ")}`,
      "State",
    ),
  ),
  code: member(
    z
      .enum(codes)
      .optional()
      .meta({ description: "Why they failed.", examples: ["HANDLER_FAILED"] }),
    ({ error }, code) => error?.code === code,
    (code) => `that failed with ${code}`,
    option(
      "--code <code>",
      "only jobs that failed with this code, e.g. HANDLER_FAILED",
      "a code of docs/errors.md, e.g. HANDLER_FAILED",
    ),
  ),
  errorText: member(
    part("A part of the error's message, in upper or lower case.", "refused"),
    ({ error }, text) => error !== null && containsText(error.message, text),
    (text) => `whose error contains ${JSON.stringify(text)}`,
    option(
      "--error <text>",
      "only jobs whose error contains this text, in upper or lower case",
      PART_EXPECTED,
      "Error contains",
    ),
  ),
  messagePattern: member(
    part(
      "How the error's message reads without numbers, ids, addresses and quoted parts, as `GET /failures` returns it.",
      "connect ECONNREFUSED #",
    ),
    ({ error }, pattern) => error !== null && patternOf(error.message) === pattern,
    (pattern) => `whose error reads like ${JSON.stringify(pattern)}`,
    option(
      "--message-pattern <text>",
      "only jobs whose error is this without its numbers, ids and quoted parts, as failures list prints it",
      PART_EXPECTED,
    ),
  ),
  idempotencyKey: member(
    z
      .string()
      .max(512)
      .optional()
      .meta({
        description: "Finds each type's job with this key, or the one that has replaced its submission.",
        examples: ["signup-42"],
      }),
    ({ idempotencyKey }, key) => idempotencyKey === key,
    (key) => `with the key ${JSON.stringify(key)}`,
    option("--key <key>", "only the job of each type with this idempotency key", "at most 512 characters"),
  ),
  keyPart: member(
    part("A part of the idempotency key.", "signup"),
    ({ idempotencyKey }, text) => idempotencyKey?.includes(text) === true,
    (text) => `whose key contains ${JSON.stringify(text)}`,
    option(
      "--key-part <text>",
      "only jobs whose idempotency key contains this text",
      PART_EXPECTED,
      "Key contains",
    ),
  ),
  act: jobFilterMember(
    part("The act on many jobs that has retried them.", "holdfast_01936f2e-8a4c-7d31-9b1e-3f2a11bc9d41"),
    {
      text: (id) => `that act ${id} has retried`,
      index: (id) => `${RETRIED_BY}${id}`,
      option: option(
        "--act <id>",
        "only jobs that this act on many has retried",
        PART_EXPECTED,
        "Retried by the act",
      ),
    },
  ),
};

const instantsBy = (instant: typeof instantInBody | typeof instantInQuery) => ({
  from: member(
    instant("Submitted at or after this."),
    ({ submittedAt }, from) => Date.parse(submittedAt) >= from,
    (from) => `submitted at or after ${isoTime(from)}`,
    option(
      "--from <when>",
      "only jobs submitted at or after this: 2026-12-01T09:00:00Z, 2026-12-01 or 12h",
      INSTANT_EXPECTED,
      "Submitted from",
    ),
  ),
  to: member(
    instant("Submitted before this."),
    ({ submittedAt }, to) => Date.parse(submittedAt) < to,
    (to) => `submitted before ${isoTime(to)}`,
    option("--to <when>", "only jobs submitted before this", INSTANT_EXPECTED, "Submitted before"),
  ),
  endedFrom: member(
    instant("Ended at or after this."),
    ({ finishedAt }, from) => finishedAt !== null && Date.parse(finishedAt) >= from,
    (from) => `ended at or after ${isoTime(from)}`,
    option("--ended-from <when>", "only jobs that ended at or after this", INSTANT_EXPECTED, "Ended from"),
  ),
  endedTo: member(
    instant("Ended before this."),
    ({ finishedAt }, to) => finishedAt !== null && Date.parse(finishedAt) < to,
    (to) => `ended before ${isoTime(to)}`,
    option("--ended-to <when>", "only jobs that ended before this", INSTANT_EXPECTED, "Ended before"),
  ),
});

type FeatureMembers = All<
  Extract<ListedFeature, { readonly filters: Readonly<Record<string, JobFilterMember>> }>["filters"]
>;
const ofFeatures = Object.assign({}, ...features.map(({ filters }) => filters)) as FeatureMembers;

/** Which jobs are meant, for lists and for acts on many. */
export const jobFilter = defineFilter({ ...kinds, ...ofFeatures }, instantsBy);
/** As JSON, it has instants in ISO 8601: {@link JobFilterText}. */
export const jobFilterSchema = jobFilter.schema;
export type JobFilter = Readonly<z.output<typeof jobFilterSchema>>;
export type JobFilterText = Readonly<z.input<typeof jobFilterSchema>>;

type AnyMember = JobFilterMember<z.ZodType, unknown>;
const members = jobFilter.members as Readonly<Record<string, AnyMember>>;

/** Without the members that only their indexes know. */
export function matchesFilter(job: FilteredJob, filter: JobFilter): boolean {
  return givenMembers(members, filter).every(([{ matches }, wanted]) => matches?.(job, wanted) ?? true);
}

/** Names a set of a queue that has the jobs of one member. Redis reads it, and knows nothing else of that member. */
export type IndexIn = (hash: () => Promise<KeyedHash>) => string | Promise<string>;

/** The index that a search reads. */
export function indexIn(filter: JobFilter): IndexIn | undefined {
  return indexesOf(givenMembers(members, filter)).at(0);
}

/** Those of members that nothing but their index knows. */
export function onlyIndexesIn(filter: JobFilter): IndexIn[] {
  return indexesOf(givenMembers(members, filter).filter(([{ matches }]) => matches === undefined));
}

function indexesOf(wanted: readonly (readonly [AnyMember, unknown])[]): IndexIn[] {
  return wanted.flatMap(([{ index }, value]) =>
    index === undefined ? [] : [(hash: Parameters<IndexIn>[0]) => index(value, hash)],
  );
}

/** Whether Redis alone cannot decide which jobs match. */
export function mustRead(filter: JobFilter): boolean {
  const { messagePattern, idempotencyKey } = filter;
  if ((messagePattern ?? idempotencyKey) !== undefined) return true;
  if (indexesOf(givenMembers(members, filter)).length > 1) return true;
  return Object.entries<AnyMember>(ofFeatures).some(
    ([name, { index }]) => filter[name as keyof JobFilter] !== undefined && index === undefined,
  );
}

/** The filter for people: `failed jobs of type welcome-email with the tag customer:42`. */
export function describeFilter({ state, ...filter }: JobFilter): string {
  const texts = givenMembers(members, filter).map(([{ text }, wanted]) => text(wanted));
  return [state === undefined ? "jobs" : `${state} jobs`, ...texts].join(" ");
}

export const jobOrders = ["newest", "oldest"] as const;
/** By end for ended jobs, by submission for tagged ones. Of other jobs, `newest` is the one that will run last. */
export type JobOrder = (typeof jobOrders)[number];
