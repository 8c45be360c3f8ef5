import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { jobOrders } from "../../../core/job/job-state.ts";
import { listedJobSchema } from "../../../core/job/job-status.ts";
import { reasonSchema } from "../../../desk/acts/act-on-many.ts";
import { jobFilterQuery } from "../../../desk/jobs/job-filter.ts";
import { COMPONENT_NAME } from "../body/component.ts";
import { parseInput } from "../body/parse-input.ts";
import { problemResponses } from "../body/problem.ts";
import { callerOf } from "../guard/access.ts";
import type { ApiParts } from "../parts.ts";

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
const pageSchema = z.object({
  jobs: z.array(listedJobSchema.meta({ [COMPONENT_NAME]: "ListedJob" })),
  nextCursor: z
    .string()
    .nullable()
    .meta({ description: "Null on the last page. Other pages can be short, even empty." }),
  scanned: z.int().meta({ description: "How many jobs were searched for this page." }),
  mayMiss: z.literal(true).optional().meta({
    description:
      "Jobs may be missing between the page before and this one: those by which it knew where to go on were removed.",
  }),
  total: z
    .object({
      count: z.int(),
      isExact: z.boolean().meta({ description: "If not, there are at least `count`." }),
    })
    .optional()
    .meta({ description: "All jobs that match, with total=true." }),
});
const outcomeSchema = z.object({
  id: z.string(),
  outcome: z.enum(["retried", "cancelled", "cancelling", "deleted"]),
});

const reasonBodySchema = z
  .strictObject({ reason: reasonSchema.optional() })
  .optional()
  .meta({ examples: [{ reason: "bad deploy 7f3a" }] });

const reasonQuerySchema = z.strictObject({
  reason: reasonSchema
    .optional()
    .meta({ description: "Kept in the audit log.", examples: ["bad deploy 7f3a"] }),
});

const idParam = { type: "object", properties: { id: { type: "string", description: "The job's id." } } };

const listJobsSchema = {
  operationId: "listJobs",
  summary: "List jobs",
  description:
    "State by state: finished jobs newest first, others in the order in which they will run, unless `order` says otherwise.",
  tags: ["operate"],
  querystring: z.toJSONSchema(querySchema, { io: "input" }),
  response: {
    200: { ...z.toJSONSchema(pageSchema), description: "One page of jobs." },
    ...problemResponses("INVALID_REQUEST", "STORE_UNAVAILABLE"),
  },
};

const retryJobSchema = {
  operationId: "retryJob",
  summary: "Retry a failed job",
  description: "It gets all its attempts again and keeps its key. Effects that are done stay done.",
  tags: ["operate"],
  params: idParam,
  body: z.toJSONSchema(reasonBodySchema, { io: "input" }),
  response: {
    200: { ...z.toJSONSchema(outcomeSchema), description: "It waits in its queue again." },
    ...problemResponses(
      "INVALID_REQUEST",
      "JOB_NOT_FOUND",
      "JOB_NOT_FAILED",
      "EFFECTS_FORGOTTEN",
      "STORE_UNAVAILABLE",
    ),
  },
};

const cancelJobSchema = {
  operationId: "cancelJob",
  summary: "Cancel a job",
  description:
    "A waiting job fails with CANCELLED at once (`cancelled`). A running job's signal is aborted, wherever it runs (`cancelling`).",
  tags: ["operate"],
  params: idParam,
  body: z.toJSONSchema(reasonBodySchema, { io: "input" }),
  response: {
    200: { ...z.toJSONSchema(outcomeSchema), description: "It has ended, or is about to." },
    ...problemResponses("INVALID_REQUEST", "JOB_NOT_FOUND", "JOB_ENDED", "STORE_UNAVAILABLE"),
  },
};

const deleteJobSchema = {
  operationId: "deleteJob",
  summary: "Delete a job that has ended",
  description:
    "Its idempotency key and its effects are remembered as after the retention. A job in doubt is kept. The audit log says who did it.",
  tags: ["operate"],
  params: idParam,
  querystring: z.toJSONSchema(reasonQuerySchema, { io: "input" }),
  response: {
    200: { ...z.toJSONSchema(outcomeSchema), description: "It is gone." },
    ...problemResponses(
      "INVALID_REQUEST",
      "JOB_NOT_FOUND",
      "JOB_NOT_ENDED",
      "JOB_IN_DOUBT",
      "STORE_UNAVAILABLE",
    ),
  },
};

/** `GET /jobs`, `DELETE /jobs/:id`, `POST /jobs/:id/retry`, `POST /jobs/:id/cancel`. */
export function addJobOperationRoutes(server: FastifyInstance, { operator }: ApiParts): void {
  server.get("/jobs", { config: { scope: "read" }, schema: listJobsSchema }, async ({ query }) =>
    operator.list(parseInput(querySchema, query)),
  );
  server.post<{ Params: { id: string } }>(
    "/jobs/:id/retry",
    { config: { scope: "operate" }, schema: retryJobSchema },
    async (request) => {
      const { id } = request.params;
      await operator.retry(id, actOf(request));
      return { id, outcome: "retried" };
    },
  );
  server.post<{ Params: { id: string } }>(
    "/jobs/:id/cancel",
    { config: { scope: "operate" }, schema: cancelJobSchema },
    async (request) => {
      const { id } = request.params;
      return { id, outcome: await operator.cancel(id, actOf(request)) };
    },
  );
  server.delete<{ Params: { id: string } }>(
    "/jobs/:id",
    { config: { scope: "operate" }, schema: deleteJobSchema },
    async (request) => {
      const { id } = request.params;
      const { reason } = parseInput(reasonQuerySchema, request.query);
      await operator.delete(id, callerOf(request), reason);
      return { id, outcome: "deleted" };
    },
  );
}

function actOf(request: FastifyRequest) {
  return { by: callerOf(request), reason: parseInput(reasonBodySchema, request.body ?? undefined)?.reason };
}
