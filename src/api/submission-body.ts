import { z } from "zod";
import type { Application } from "../contract/define-config.ts";
import type { JobContract } from "../contract/define-job.ts";
import { submissionSchema } from "../submit/submission.ts";

/** The body of a submission as JSON Schema: one variant for each job type, with that type's payload and example. */
export function submissionBody(application: Application): Record<string, unknown> {
  return { oneOf: [...application.jobs.values()].map(variant) };
}

/** The key in the examples. */
const KEY = "signup-42";

function variant(job: JobContract): Record<string, unknown> {
  const { $schema: _, ...envelope } = z.toJSONSchema(submissionSchema, { io: "input" });
  const { $schema: __, ...payload } = z.toJSONSchema(job.payload, { io: "input", unrepresentable: "any" });
  const [example] = payload.examples ?? [];
  return {
    ...envelope,
    title: job.type,
    ...(example !== undefined && { examples: [{ type: job.type, payload: example, idempotencyKey: KEY }] }),
    required: ["type", "payload", "idempotencyKey"],
    properties: {
      ...envelope.properties,
      type: { const: job.type, description: "The job's type." },
      payload,
    },
  };
}
