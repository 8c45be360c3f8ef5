import { z } from "zod";
import { jobNotFound } from "../../core/job/job-id.ts";
import { listedJobSchema } from "../../features/job-status.ts";
import { reasonSchema } from "../acts/act-on-many.ts";
import { jobDetailSchema } from "../jobs/job-detail.ts";
import { jobFilterQuery, jobOrders } from "../jobs/job-filter.ts";
import { jobPageSchema } from "../jobs/job-operator.ts";
import { COMPONENT_NAME, change, read } from "./operation.ts";

const querySchema = z.strictObject({
  ...jobFilterQuery,
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

const reasonBodySchema = z
  .strictObject({ reason: reasonSchema.optional() })
  .optional()
  .meta({ examples: [{ reason: "bad deploy 7f3a" }] });

const reasonQuerySchema = z.strictObject({
  reason: reasonSchema
    .optional()
    .meta({ description: "Kept in the audit log.", examples: ["bad deploy 7f3a"] }),
});

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
    errors: ["INVALID_REQUEST", "JOB_NOT_FOUND", "JOB_NOT_FAILED", "EFFECTS_FORGOTTEN", "STORE_UNAVAILABLE"],
    returns: "outcome",
    async run(operator, { params: { id }, input, by }) {
      await operator.retry(id, { by, reason: input?.reason });
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
    errors: ["INVALID_REQUEST", "JOB_NOT_FOUND", "JOB_ENDED", "STORE_UNAVAILABLE"],
    returns: "outcome",
    run: async (operator, { params: { id }, input, by }) => ({
      id,
      outcome: await operator.cancel(id, { by, reason: input?.reason }),
    }),
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
    errors: ["INVALID_REQUEST", "JOB_NOT_FOUND", "JOB_NOT_ENDED", "JOB_IN_DOUBT", "STORE_UNAVAILABLE"],
    returns: "outcome",
    async run(operator, { params: { id }, input: { reason }, by }) {
      await operator.delete(id, by, reason);
      return { id, outcome: "deleted" as const };
    },
  }),
};
