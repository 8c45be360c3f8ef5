import { z } from "zod";
import type { Application } from "../contract/define-config.ts";
import type { JobContract } from "../contract/define-job.ts";
import { submissionSchema } from "../submit/submission.ts";

/** The body of a submission as JSON Schema: one variant for each job type, with that type's payload. */
export function submissionBody(application: Application): Record<string, unknown> {
  return { oneOf: [...application.jobs.values()].map(variant) };
}

function variant(job: JobContract): Record<string, unknown> {
  const { $schema: _, ...envelope } = z.toJSONSchema(submissionSchema, { io: "input" });
  const { $schema: __, ...payload } = z.toJSONSchema(job.payload, { io: "input", unrepresentable: "any" });
  return {
    ...envelope,
    title: job.type,
    required: ["type", "payload", "idempotencyKey"],
    properties: {
      ...envelope.properties,
      type: { const: job.type, description: "The job's type." },
      payload,
    },
  };
}
