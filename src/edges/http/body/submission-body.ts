import { z } from "zod";
import type { Application } from "../../../core/job/define-config.ts";
import type { JobContract } from "../../../core/job/define-job.ts";
import type { Receipt } from "../../../core/job/submit-options.ts";
import { submissionSchema } from "../../../core/submit/submission.ts";
import type { ErrorCode } from "../../../platform/errors/error-codes.ts";
import { jsonSchemaOf } from "../../../platform/lib/schema.ts";
import { namedComponent } from "./component.ts";

/** How a submission can fail. */
export const submissionProblems: readonly ErrorCode[] = [
  "INVALID_REQUEST",
  "INVALID_PAYLOAD",
  "UNKNOWN_JOB_TYPE",
  "IDEMPOTENCY_KEY_MISSING",
  "IDEMPOTENCY_KEY_INVALID",
  "BODY_TOO_LARGE",
  "UNSUPPORTED_MEDIA_TYPE",
  "IDEMPOTENCY_KEY_REUSED",
  "STORE_UNAVAILABLE",
  "STORE_FULL",
];

/**
 * The body of a submission as JSON Schema: a component for each job type, with its payload.
 *
 * Payload schemas with an example (Zod's `meta({ examples: […] })`) are shown with it.
 */
export function submissionBody(application: Application): Record<string, unknown> {
  const examples = variantsOf(application).flatMap(({ schema, example }) =>
    example === undefined ? [] : [[schema.title, { value: example }]],
  );
  return {
    ...submissions(application),
    ...(examples.length > 0 && { "x-examples": Object.fromEntries(examples) }),
  };
}

/** A submission in a batch, whose key cannot come in a header. */
export function batchedSubmission(application: Application): Record<string, unknown> {
  return { ...submissions(application), required: ["idempotencyKey"] };
}

/** The components have the names of the types, so that `type` says which of them applies. */
function submissions(application: Application) {
  return {
    type: "object",
    oneOf: variantsOf(application).map(({ schema }) => namedComponent(schema.title, schema)),
    discriminator: { propertyName: "type" },
  };
}

function variantsOf({ jobs }: Application) {
  return [...jobs.values()].map(variant);
}

function variant(job: JobContract) {
  const { $schema: _, ...envelope } = z.toJSONSchema(submissionSchema, { io: "input" });
  const { $schema: __, ...payload } = { $schema: "", ...jsonSchemaOf(job.payload, "input") };
  const [example] = payload.examples ?? [];
  const schema = {
    ...envelope,
    title: job.type,
    // The key may come in a header instead.
    required: ["type", "payload"],
    properties: {
      ...envelope.properties,
      type: { const: job.type, description: "The job's type." },
      payload,
    },
  };
  return { schema, example: example && { type: job.type, payload: example, idempotencyKey: "signup-42" } };
}

/** The answer to one submission. */
export const receiptSchema = z.object({
  id: z.string().meta({ examples: ["default_019ab3c2-7c1e-7d3a-9a54-5f2b8c1d0e6f"] }),
  type: z.string().meta({ examples: ["welcome-email"] }),
  idempotencyKey: z.string().meta({ examples: ["signup-42"] }),
  duplicate: z.boolean(),
  statusUrl: z.string().meta({ examples: ["/jobs/default_019ab3c2-7c1e-7d3a-9a54-5f2b8c1d0e6f/status"] }),
});

export type ReceiptBody = z.output<typeof receiptSchema>;

export function receiptBody({ id, type, idempotencyKey, duplicate }: Receipt): ReceiptBody {
  return { id, type, idempotencyKey, duplicate, statusUrl: `/jobs/${id}/status` };
}

/** 202: accepted now; 200: accepted before. */
export function receiptStatus({ duplicate }: Receipt): 200 | 202 {
  return duplicate ? 200 : 202;
}
