import { z } from "zod";
import type { Application } from "../contract/define-config.ts";
import type { JobContract } from "../contract/define-job.ts";
import { submissionSchema } from "../submit/submission.ts";

/**
 * The body of a submission as JSON Schema: one variant for each job type, with that type's payload.
 *
 * A type whose payload schema bears an example (Zod's `meta({ examples: […] })`) is shown with it.
 */
export function submissionBody(application: Application): Record<string, unknown> {
  const variants = [...application.jobs.values()].map(variant);
  const examples = variants.flatMap(({ title, example }) =>
    example === undefined ? [] : [[title, { value: example }]],
  );
  return {
    oneOf: submissionVariants(application),
    ...(examples.length > 0 && { "x-examples": Object.fromEntries(examples) }),
  };
}

/** One submission as JSON Schema: one variant for each job type. */
export function submissionVariants(application: Application): readonly Record<string, unknown>[] {
  return [...application.jobs.values()].map(variant).map(({ example: _, ...schema }) => schema);
}

function variant(job: JobContract) {
  const { $schema: _, ...envelope } = z.toJSONSchema(submissionSchema, { io: "input" });
  const { $schema: __, ...payload } = z.toJSONSchema(job.payload, { io: "input", unrepresentable: "any" });
  const [example] = payload.examples ?? [];
  return {
    ...envelope,
    title: job.type,
    // The key may come as a header instead.
    required: ["type", "payload"],
    properties: {
      ...envelope.properties,
      type: { const: job.type, description: "The job's type." },
      payload,
    },
    example: example && { type: job.type, payload: example, idempotencyKey: "signup-42" },
  };
}
