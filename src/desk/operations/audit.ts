import { z } from "zod";
import { auditEntrySchema } from "../audit/audit-log.ts";
import { read } from "./operation.ts";

const auditQuerySchema = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50).meta({ description: "How many at most." }),
  jobId: z.string().max(200).optional().meta({ description: "Only what was done to this job." }),
  queue: z
    .string()
    .max(200)
    .optional()
    .meta({ description: "Only what was done in this queue; not with jobId." }),
});
export const auditOperations = {
  auditTrail: read({
    id: "listAudit",
    path: "/audit",
    summary: "List who did what",
    description: "With `jobId`, the newest 20,000 entries of its queue are searched.",
    input: auditQuerySchema,
    answer: z.object({ entries: z.array(auditEntrySchema) }).describe("Newest first."),
    errors: ["INVALID_REQUEST", "JOB_NOT_FOUND", "QUEUE_NOT_FOUND", "STORE_UNAVAILABLE"],
    positional: ["limit"],
    returns: "entries",
    run: async (operator, { input: { limit, ...filter } }) => ({
      entries: await operator.auditTrail(limit, filter),
    }),
  }),
};
