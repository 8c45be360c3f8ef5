import { z } from "zod";
import { queueOfPartition } from "../../core/bullmq/store/partitions.ts";
import { queueOfId } from "../../core/job/job-id.ts";
import { jobStates } from "../../core/job/job-state.ts";
import type { ListedJob } from "../../core/job/job-status.ts";
import { tagSchema } from "../../features/tags/tags.ts";
import { type ErrorCode, errorCodes } from "../../platform/errors/error-codes.ts";
import { isoTime } from "../../platform/lib/iso-time.ts";
import { instantInBody, instantInQuery } from "./instant-schemas.ts";
import { messagePattern as patternOf } from "./message-pattern.ts";

const codes = Object.keys(errorCodes) as ErrorCode[];

const kindShape = {
  queue: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .meta({ examples: ["default"] }),
  type: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .meta({ examples: ["welcome-email"] }),
  state: z
    .enum(jobStates)
    .optional()
    .meta({ examples: ["failed"] }),
  tag: tagSchema.optional().meta({ description: "Submitted with this tag.", examples: ["customer:42"] }),
  code: z
    .enum(codes)
    .optional()
    .meta({ description: "Why they failed.", examples: ["HANDLER_FAILED"] }),
  errorText: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .meta({ description: "A part of the error's message, in upper or lower case.", examples: ["refused"] }),
  messagePattern: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .meta({
      description:
        "How the error's message reads without numbers, ids, addresses and quoted parts, as `GET /failures` returns it.",
      examples: ["connect ECONNREFUSED #"],
    }),
  idempotencyKey: z
    .string()
    .max(512)
    .optional()
    .meta({ description: "Finds each type's job with this key.", examples: ["signup-42"] }),
  keyPart: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .meta({ description: "A part of the idempotency key.", examples: ["signup"] }),
};

const timesBy = (instant: typeof instantInBody | typeof instantInQuery) => ({
  from: instant("Submitted at or after this."),
  to: instant("Submitted before this."),
  endedFrom: instant("Ended at or after this."),
  endedTo: instant("Ended before this."),
});

/** The members of a filter in a query, for schemas that have more. */
export const jobFilterQuery = { ...kindShape, ...timesBy(instantInQuery) };

/** Which jobs are meant, for lists and for acts on many. As JSON, it has instants in ISO 8601: {@link JobFilterText}. */
export const jobFilterSchema = z.strictObject({ ...kindShape, ...timesBy(instantInBody) });
export type JobFilter = Readonly<z.output<typeof jobFilterSchema>>;
export type JobFilterText = Readonly<z.input<typeof jobFilterSchema>>;

type FilteredJob = Pick<
  ListedJob,
  "id" | "type" | "state" | "error" | "tags" | "submittedAt" | "finishedAt"
> & {
  readonly idempotencyKey?: string;
};

/** Whether a job matches every member of the filter. */
export function matchesFilter(job: FilteredJob, filter: JobFilter): boolean {
  return matchesKind(job, filter) && matchesError(job, filter) && matchesTimes(job, filter);
}

function matchesKind(
  job: FilteredJob,
  { queue, type, state, tag, idempotencyKey, keyPart }: JobFilter,
): boolean {
  return (
    (queue === undefined || queueOfPartition(queueOfId(job.id) ?? "") === queue) &&
    (type === undefined || job.type === type) &&
    // A job can change its state after its list is read.
    (state === undefined || job.state === state) &&
    (tag === undefined || job.tags.includes(tag)) &&
    (idempotencyKey === undefined || job.idempotencyKey === idempotencyKey) &&
    (keyPart === undefined || job.idempotencyKey?.includes(keyPart) === true)
  );
}

function matchesError({ error }: FilteredJob, { code, errorText, messagePattern }: JobFilter): boolean {
  return (
    (messagePattern === undefined || (error !== null && patternOf(error.message) === messagePattern)) &&
    (code === undefined || error?.code === code) &&
    (errorText === undefined || (error !== null && containsText(error.message, errorText)))
  );
}

export function containsText(text: string, part: string): boolean {
  return text.toLowerCase().includes(part.toLowerCase());
}

function matchesTimes(job: FilteredJob, { from, to, endedFrom, endedTo }: JobFilter): boolean {
  return isWithin(job.submittedAt, from, to) && isWithin(job.finishedAt, endedFrom, endedTo);
}

function isWithin(time: string | null, from: number | undefined, to: number | undefined): boolean {
  if (from === undefined && to === undefined) return true;
  const at = time === null ? Number.NaN : Date.parse(time);
  return at >= (from ?? Number.NEGATIVE_INFINITY) && at < (to ?? Number.POSITIVE_INFINITY);
}

/** The filter for people: `failed jobs of type welcome-email with the tag customer:42`. */
export function describeFilter(filter: JobFilter): string {
  const { messagePattern, keyPart } = filter;
  const { queue, type, state, tag, code, errorText, idempotencyKey, from, to, endedFrom, endedTo } = filter;
  const parts = [
    state === undefined ? "jobs" : `${state} jobs`,
    queue !== undefined && `in queue ${queue}`,
    type !== undefined && `of type ${type}`,
    tag !== undefined && `with the tag ${tag}`,
    code !== undefined && `that failed with ${code}`,
    errorText !== undefined && `whose error contains ${JSON.stringify(errorText)}`,
    messagePattern !== undefined && `whose error reads like ${JSON.stringify(messagePattern)}`,
    idempotencyKey !== undefined && `with the key ${JSON.stringify(idempotencyKey)}`,
    keyPart !== undefined && `whose key contains ${JSON.stringify(keyPart)}`,
    from !== undefined && `submitted at or after ${isoTime(from)}`,
    to !== undefined && `submitted before ${isoTime(to)}`,
    endedFrom !== undefined && `ended at or after ${isoTime(endedFrom)}`,
    endedTo !== undefined && `ended before ${isoTime(endedTo)}`,
  ];
  return parts.filter((part) => part !== false).join(" ");
}
