import { z } from "zod";
import { parseRate, RATE_EXPECTED } from "../../core/define/queue-settings.ts";
import type { JobContract } from "../../core/job/contract.ts";
import { INTERNAL_QUEUE } from "../../core/job/internal-queue.ts";
import type { JobState } from "../../core/job/job-state.ts";
import { defineJob } from "../../features/define.ts";
import { malformed } from "../../platform/lib/parse-json.ts";
import { isNarrow } from "../filter.ts";
import { type JobFilter, type JobFilterText, type JobOrder, jobFilterSchema } from "../jobs/job-filter.ts";

export const actNames = ["retry", "cancel", "delete"] as const;
export type ActName = (typeof actNames)[number];

const rateSchema = z
  .string()
  .max(20)
  .refine((text) => parseRate(text) !== undefined, `expected ${RATE_EXPECTED}`)
  .meta({ description: "How many jobs at most in a time, such as 50/s.", examples: ["50/s"] });

export const actMembers = {
  act: z.enum(actNames).meta({ examples: ["retry"] }),
  filter: jobFilterSchema.default({}).meta({
    description: "Which jobs, as for `GET /jobs`.",
    examples: [{ type: "webhook", code: "HANDLER_FAILED" }],
  }),
  all: z
    .literal(true)
    .optional()
    .meta({ description: "Instead of a filter: every job that the act can be done with." }),
  rate: rateSchema.optional(),
};
export const reasonSchema = z
  .string()
  .trim()
  .min(1)
  .max(500)
  .meta({ description: "Kept with the act and in the audit log.", examples: ["bad deploy 7f3a"] });

export type ActRequest = Readonly<z.output<z.ZodObject<typeof actMembers>>> & {
  readonly reason: string;
  /** `before` of the preview that was seen, in milliseconds since 1970: jobs that have changed since then are not meant. @default now */
  readonly before?: number | undefined;
};

const payloadSchema = z.strictObject({
  act: z.enum(actNames),
  filter: jobFilterSchema,
  reason: z.string(),
  rate: z.string().optional(),
  by: z.string(),
  before: z.number(),
});
export type ActPayload = Readonly<z.output<typeof payloadSchema>>;
export type ActInput = Readonly<z.input<typeof payloadSchema>>;

/** How far an act is: stored before each batch, so that whoever goes on counts each job once. */
export const actProgressSchema = z.object({
  /** How many jobs matched at the beginning. */
  total: z.int(),
  done: z.int(),
  skipped: z.int(),
  /** How many passes over all lists have ended. */
  phase: z.int(),
  /** Where the next batch begins; null at the beginning of a pass. */
  cursor: z.string().nullable(),
  /** The batch that is under way. */
  pending: z.array(z.string()),
});
export type ActProgress = Readonly<z.output<typeof actProgressSchema>>;

/** An attempt may take a day; a longer act goes on in the next one. */
export const ATTEMPT_MAX_MS = 20 * 60 * 60_000;

/** `isCertain`: no job is left that it should have acted on. False where jobs moved faster than anybody could look. */
export const actResultSchema = z.object({
  done: z.int(),
  skipped: z.int(),
  gone: z.int(),
  isCertain: z.boolean().default(true),
});

const contract = defineJob({
  type: "act-on-many",
  queue: INTERNAL_QUEUE,
  payload: payloadSchema,
  result: actResultSchema,
  retry: { attempts: 100, backoff: { kind: "fixed", delayMs: 1_000 }, maxStarts: 1_000 },
  timeoutMs: 24 * 60 * 60_000,
});

/** An act on many jobs is a job itself. No contract of an application can have such a type: it has a dot. */
export const actOnMany: JobContract = { ...contract, type: "holdfast.act-on-many" };

/** Holdfast's own jobs, as an application. */
export const internalApplication = {
  jobs: new Map([[actOnMany.type, actOnMany]]),
  queues: [INTERNAL_QUEUE],
  queueSettings: new Map([[INTERNAL_QUEUE, { concurrency: 2, limits: {}, partitions: 1 }]]),
  schedules: [],
  handlers: async () => [],
};

export const statesOf: Readonly<Record<ActName, readonly JobState[]>> = {
  retry: ["failed"],
  cancel: ["waiting", "waiting-children", "prioritized", "delayed", "active"],
  delete: ["failed", "completed"],
};

/**
 * In which order lists are walked. Waiting jobs from the newest: new ones join behind the walk, and workers claim at its end, so it
 * ends and meets all that stay.
 */
export const orderOf: Readonly<Record<ActName, JobOrder | undefined>> = {
  retry: "oldest",
  cancel: "newest",
  delete: undefined,
};

/** Their ids fit into a job's progress. */
const BATCH = 25;

/** Half a second's worth at a time, so that the pace is even. */
export function actPace(rate: string | undefined) {
  const { perMs = 0, count = 1 } = (rate === undefined ? undefined : parseRate(rate)) ?? {};
  const eachMs = perMs / count;
  const limit = eachMs === 0 ? BATCH : Math.min(BATCH, Math.max(1, Math.floor(500 / eachMs)));
  return { limit, eachMs };
}

/**
 * Only jobs that were there before it began: those that fail again, or are submitted meanwhile, are not acted on without end.
 *
 * @param before milliseconds since 1970
 */
export function boundedFilter(act: ActName, filter: JobFilter, before: number): JobFilter {
  const earlier = (at: number | undefined) => Math.min(at ?? before, before);
  if (act === "cancel") return { ...filter, to: earlier(filter.to) };
  return { ...filter, endedTo: earlier(filter.endedTo) };
}

/** @throws HoldfastError `INVALID_REQUEST` for an act without filter that does not say `all`, and for an act that these jobs do not allow */
export function requireActScope({ act, filter, all }: Pick<ActRequest, "act" | "filter" | "all">): void {
  if (isNarrow(filter) === (all === true))
    throw malformed([
      isNarrow(filter)
        ? { pointer: "/all", message: "expected no such member beside a filter" }
        : { pointer: "/filter", message: 'expected a filter, or "all": true for every job' },
    ]);
  const states = statesOf[act];
  if (filter.state !== undefined && !states.includes(filter.state))
    throw malformed([
      { pointer: "/filter/state", message: `to ${act}, expected one of ${states.join(", ")}` },
    ]);
}

export function filterText({ from, to, endedFrom, endedTo, ...filter }: JobFilter): JobFilterText {
  const iso = (at: number | undefined) => (at === undefined ? undefined : new Date(at).toISOString());
  const all = { ...filter, from: iso(from), to: iso(to), endedFrom: iso(endedFrom), endedTo: iso(endedTo) };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}
