import { z } from "zod";
import type { Application } from "../../../core/job/application.ts";
import type { JobContract } from "../../../core/job/contract.ts";
import { submissionSchemaOf } from "../../../core/submit/submission.ts";
import { features } from "../../../features/index.ts";
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
  const { $schema: _, ...envelope } = z.toJSONSchema(submissionSchemaOf(features), { io: "input" });
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
