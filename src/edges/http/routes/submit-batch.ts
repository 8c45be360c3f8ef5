import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { Application } from "../../../core/job/application.ts";
import type { Receipt } from "../../../core/job/submit-options.ts";
import {
  type ReceiptBody,
  receiptBody,
  receiptSchema,
  receiptStatus,
} from "../../../desk/operations/receipt.ts";
import { HoldfastError, type Problem } from "../../../platform/errors/holdfast-error.ts";
import { parseInput } from "../../../platform/lib/parse-json.ts";
import { component } from "../body/component.ts";
import { asHoldfastError, prepareProblem, problemResponses, problemSchema } from "../body/problem.ts";
import { readKeyHeader } from "../body/request-headers.ts";
import { batchedSubmission } from "../body/submission-body.ts";
import { underBasePath } from "../mount/base-path.ts";
import type { ApiParts } from "../parts.ts";

const BATCH_MAX = 1_000;
const BODY_MAX_BYTES = 4 * 1_048_576;

/** Leaves the items unchecked: each is checked and answered on its own. */
const batchSchema = z.strictObject({ jobs: z.array(z.unknown()).min(1).max(BATCH_MAX) });

type BatchResult = (ReceiptBody & { readonly status: 200 | 202 }) | Problem;

/** `POST /jobs/batch`: submits many jobs, each answered as if it were submitted alone. */
export function addBatchRoute(server: FastifyInstance, { application, submitter, log }: ApiParts): void {
  server.post(
    "/jobs/batch",
    {
      config: { scope: "submit", isBatch: true, list: { name: "jobs", max: BATCH_MAX }, cost: jobsIn },
      bodyLimit: BODY_MAX_BYTES,
      schema: describe(application),
    },
    async (request, reply) => {
      if (readKeyHeader(request.raw) !== undefined) throw keyForMany();
      const { jobs } = parseInput(batchSchema, request.body);
      const refused = (thrown: unknown): BatchResult => prepareProblem(log, asHoldfastError(thrown), reply);
      const submit = async (job: unknown, index: number): Promise<Receipt> => {
        const refusal = request.refusedJobs?.get(index);
        if (refusal !== undefined) throw refusal;
        return await submitter.submit(job);
      };
      const accepted = (receipt: Receipt): BatchResult => ({
        status: receiptStatus(receipt),
        ...underBasePath(request.raw, receiptBody(receipt)),
      });
      const results = await Promise.all(jobs.map((job, index) => submit(job, index).then(accepted, refused)));
      return reply.send({ results });
    },
  );
}

/** Every job counts against rate limits, accepted or not. */
function jobsIn(body: unknown): number {
  const { success, data } = batchSchema.safeParse(body);
  return success ? data.jobs.length : 1;
}

function keyForMany(): HoldfastError {
  return new HoldfastError(
    "IDEMPOTENCY_KEY_INVALID",
    "Expected a key in each job and no Idempotency-Key header: one key cannot name many jobs",
  );
}

function describe(application: Application): Record<string, unknown> {
  const status = z.union([z.literal(200), z.literal(202)]);
  const outcomes = [
    component("BatchedReceipt", receiptSchema.extend({ status })),
    component("Problem", problemSchema),
  ];
  const results = { type: "array", items: { anyOf: outcomes } };
  return {
    operationId: "submitJobs",
    summary: "Submit many jobs",
    description: `1 to ${BATCH_MAX} submissions, answered in order. Each result has its own \`status\` and what \`POST /jobs\` would answer; a bad item does not affect the others. The same rules for keys hold, also between the items of one batch.`,
    tags: ["jobs"],
    body: {
      type: "object",
      additionalProperties: false,
      required: ["jobs"],
      properties: {
        jobs: {
          type: "array",
          minItems: 1,
          maxItems: BATCH_MAX,
          items: batchedSubmission(application),
        },
      },
    },
    response: {
      200: {
        type: "object",
        required: ["results"],
        properties: { results },
        description: "One result for each job, in order.",
      },
      ...problemResponses(
        "INVALID_REQUEST",
        "IDEMPOTENCY_KEY_INVALID",
        "BODY_TOO_LARGE",
        "UNSUPPORTED_MEDIA_TYPE",
      ),
    },
  };
}
