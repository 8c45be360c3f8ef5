import { z } from "zod";
import { auditFilter } from "../audit/audit-filter.ts";
import { auditLineSchema } from "../audit/audit-lines.ts";
import { read } from "./operation.ts";

const auditQuerySchema = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1_000).default(50).meta({ description: "How many at most." }),
  ...auditFilter.query,
});

export const auditOperations = {
  auditTrail: read({
    id: "listAudit",
    path: "/audit",
    summary: "List who did what",
    description:
      "One line for what was done together, whose entries `actId` lists. The newest 20,000 entries of each queue are searched, of those between `from` and `to`.",
    input: auditQuerySchema,
    answer: z.object({ entries: z.array(auditLineSchema) }).describe("Newest first."),
    errors: ["INVALID_REQUEST", "JOB_NOT_FOUND", "QUEUE_NOT_FOUND", "STORE_UNAVAILABLE"],
    positional: ["limit"],
    returns: "entries",
    run: async (operator, { input: { limit, ...filter } }) => ({
      entries: await operator.auditTrail(limit, filter),
    }),
  }),
};
