import { z } from "zod";
import { jobNotFound } from "../../core/job/job-id.ts";
import { jobStates } from "../../core/job/job-state.ts";
import { listedJobSchema } from "../../features/job-status.ts";
import { reasonSchema } from "../acts/act-on-many.ts";
import { jobDetailSchema } from "../jobs/job-detail.ts";
import { jobFilter, jobOrders } from "../jobs/job-filter.ts";
import { jobPageSchema } from "../jobs/job-operator.ts";
import { COMPONENT_NAME, change, read } from "./operation.ts";
import { receiptBody, receiptSchema, receiptStatus } from "./receipt.ts";

const querySchema = z.strictObject({
  ...jobFilter.query,
  order: z
    .enum(jobOrders)
    .optional()
    .meta({
      description:
        "Within each state. Without it, ended and tagged jobs come newest first, the others in the order in which they will run.",
      examples: ["oldest"],
    }),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  total: z
    .enum(["true", "false"])
    .transform((text) => text === "true")
    .optional()
    .meta({ description: "true: also counts all jobs that match." }),
  cursor: z.string().max(1_024).optional().meta({ description: "nextCursor of the previous page." }),
});
const pageSchema = jobPageSchema.extend({
  jobs: z.array(listedJobSchema.meta({ [COMPONENT_NAME]: "ListedJob" })),
});
const outcomeSchema = z.object({
  id: z.string(),
  outcome: z.enum(["retried", "cancelled", "cancelling", "deleted"]),
});
/** Each act has its own outcomes of these. */
const outcomeOf = <Own extends z.output<typeof outcomeSchema>["outcome"]>() =>
  outcomeSchema as z.ZodType as z.ZodType<{ id: string; outcome: Own }>;

const seenSchema = z
  .strictObject({
    state: z.enum(jobStates),
    finishedAt: z.iso.datetime().nullish().meta({ description: "Absent or null: whenever." }),
  })
  .optional()
  .meta({
    description:
      "The job as you have seen it. If that has changed, nothing is done: 409 `CHANGED_MEANWHILE`. Compared in the same step.",
  });

const reasonBodySchema = z
  .strictObject({ reason: reasonSchema.optional(), expect: seenSchema })
  .optional()
  .meta({ examples: [{ reason: "bad deploy 7f3a" }] });

const reasonQuerySchema = z.strictObject({
  reason: reasonSchema
    .optional()
    .meta({ description: "Kept in the audit log.", examples: ["bad deploy 7f3a"] }),
  finishedAt: z.iso.datetime().optional().meta({
    description:
      "When the job ended, as you have seen it. If it ended at another time, nothing is done: 409 `CHANGED_MEANWHILE`.",
  }),
});

const againSchema = z.strictObject({
  idempotencyKey: z
    .string()
    .meta({ description: "Of the new job: another one than the old job's.", examples: ["signup-42-again"] }),
  reason: reasonSchema.meta({ description: "Kept in the audit log.", examples: ["bad deploy 7f3a"] }),
  payload: z.unknown().optional().meta({ description: "By default the old job's, as it was submitted." }),
  options: z
    .record(z.string(), z.unknown())
    .optional()
    .meta({ description: "As in `POST /jobs`. By default none.", examples: [{ priority: 5 }] }),
  confirm: z
    .boolean()
    .optional()
    .meta({ description: "Whether an effect in doubt may happen again. By default not.", examples: [false] }),
});
const receipt = receiptSchema.meta({ [COMPONENT_NAME]: "Receipt" });

const params = { id: "The job's id." } as const;

export const jobOperations = {
  detail: read({
    id: "readJob",
    path: "/jobs/:id",
    summary: "Read everything known about a job",
    description: "Its status, its payload, each failed attempt, and its log.",
    params,
    answer: { text: "The job.", schema: jobDetailSchema.meta({ [COMPONENT_NAME]: "JobDetail" }) },
    errors: ["JOB_NOT_FOUND", "STORE_UNAVAILABLE"],
    async run(operator, { params: { id } }) {
      const detail = await operator.detail(id);
      if (detail === undefined) throw jobNotFound();
      return detail;
    },
  }),
  list: read({
    id: "listJobs",
    path: "/jobs",
    summary: "List jobs",
    description:
      "State by state: finished jobs newest first, others in the order in which they will run, unless `order` says otherwise.",
    input: querySchema,
    answer: pageSchema.describe("One page of jobs."),
    errors: ["INVALID_REQUEST", "STORE_UNAVAILABLE"],
    run: (operator, { input }) => operator.list(input),
  }),
  retry: change({
    id: "retryJob",
    method: "POST",
    path: "/jobs/:id/retry",
    summary: "Retry a failed job",
    description: "It gets all its attempts again and keeps its key. Effects that are done stay done.",
    params,
    input: reasonBodySchema,
    answer: outcomeOf<"retried">().describe("It waits in its queue again."),
    errors: [
      "INVALID_REQUEST",
      "JOB_NOT_FOUND",
      "JOB_NOT_FAILED",
      "CHANGED_MEANWHILE",
      "EFFECTS_FORGOTTEN",
      "STORE_UNAVAILABLE",
    ],
    returns: "outcome",
    async run(operator, { params: { id }, input, by }) {
      await operator.retry(id, { by, reason: input?.reason }, input?.expect);
      return { id, outcome: "retried" as const };
    },
  }),
  cancel: change({
    id: "cancelJob",
    method: "POST",
    path: "/jobs/:id/cancel",
    summary: "Cancel a job",
    description:
      "A waiting job fails with CANCELLED at once (`cancelled`). A running job's signal is aborted, wherever it runs (`cancelling`).",
    params,
    input: reasonBodySchema,
    answer: outcomeOf<"cancelled" | "cancelling">().describe("It has ended, or is about to."),
    errors: ["INVALID_REQUEST", "JOB_NOT_FOUND", "JOB_ENDED", "CHANGED_MEANWHILE", "STORE_UNAVAILABLE"],
    returns: "outcome",
    run: async (operator, { params: { id }, input, by }) => ({
      id,
      outcome: await operator.cancel(id, { by, reason: input?.reason }, input?.expect),
    }),
  }),
  again: change({
    id: "submitAgain",
    method: "POST",
    path: "/jobs/:id/again",
    summary: "Submit a new job from an old one",
    description:
      "With a key of its own, so its effects happen anew. Where an effect of the old job is in doubt or may be under way it is refused with `EFFECT_IN_DOUBT`, unless `confirm` says that the effect may happen again. The audit log names both jobs.",
    params,
    input: againSchema,
    answer: { text: "That key had this job already.", schema: receipt },
    other: { status: 202, text: "The new job is accepted.", schema: receipt },
    isOther: (answered) => receiptStatus(answered) === 202,
    errors: [
      "INVALID_REQUEST",
      "JOB_NOT_FOUND",
      "UNKNOWN_JOB_TYPE",
      "INVALID_PAYLOAD",
      "IDEMPOTENCY_KEY_INVALID",
      "EFFECT_IN_DOUBT",
      "IDEMPOTENCY_KEY_REUSED",
      "STORE_UNAVAILABLE",
      "STORE_FULL",
    ],
    run: async (operator, { params: { id }, input, by }) =>
      receiptBody(await operator.again(id, { ...input, by })),
  }),
  delete: change({
    id: "deleteJob",
    method: "DELETE",
    path: "/jobs/:id",
    summary: "Delete a job that has ended",
    description:
      "Its idempotency key and its effects are remembered as after the retention. A job in doubt is kept. The audit log says who did it.",
    params,
    input: reasonQuerySchema,
    answer: outcomeOf<"deleted">().describe("It is gone."),
    errors: [
      "INVALID_REQUEST",
      "JOB_NOT_FOUND",
      "JOB_NOT_ENDED",
      "CHANGED_MEANWHILE",
      "JOB_IN_DOUBT",
      "STORE_UNAVAILABLE",
    ],
    returns: "outcome",
    async run(operator, { params: { id }, input: { reason, finishedAt }, by }) {
      await operator.delete(id, by, reason, finishedAt);
      return { id, outcome: "deleted" as const };
    },
  }),
};
