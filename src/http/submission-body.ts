import { z } from "zod";
import type { Application } from "../job/define-config.ts";
import type { JobContract } from "../job/define-job.ts";
import { jsonSchemaOf } from "../job/schema.ts";
import { submissionSchema } from "../submit/submission.ts";

/**
 * The body of a submission as JSON Schema: one variant for each job type, with its payload.
 *
 * Payload schemas with an example (Zod's `meta({ examples: […] })`) are shown with it.
 */
export function submissionBody(application: Application): Record<string, unknown> {
  const variants = variantsOf(application);
  const examples = variants.flatMap(({ schema, example }) =>
    example === undefined ? [] : [[schema.title, { value: example }]],
  );
  return {
    // The key may come in a header instead.
    oneOf: variants.map(({ schema }) => ({ ...schema, required: ["type", "payload"] })),
    ...(examples.length > 0 && { "x-examples": Object.fromEntries(examples) }),
  };
}

/** A submission in a batch, whose key cannot come in a header. */
export function batchedSubmission(application: Application): Record<string, unknown> {
  const required = ["type", "payload", "idempotencyKey"];
  return { oneOf: variantsOf(application).map(({ schema }) => ({ ...schema, required })) };
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
    properties: {
      ...envelope.properties,
      type: { const: job.type, description: "The job's type." },
      payload,
    },
  };
  return { schema, example: example && { type: job.type, payload: example, idempotencyKey: "signup-42" } };
}
