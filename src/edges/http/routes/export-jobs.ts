import { Readable } from "node:stream";
import type { FastifyInstance, FastifyReply } from "fastify";
import { z } from "zod";
import { auditFilter } from "../../../desk/audit/audit-filter.ts";
import { exportAudit } from "../../../desk/audit/export-audit.ts";
import { exportFormats } from "../../../desk/jobs/export-format.ts";
import { exportJobs } from "../../../desk/jobs/export-jobs.ts";
import { jobFilter } from "../../../desk/jobs/job-filter.ts";
import { parseInput } from "../../../platform/lib/parse-json.ts";
import { problemResponses } from "../body/problem.ts";
import type { ApiParts } from "../parts.ts";

const format = z.enum(exportFormats).default("csv").meta({ description: "How the file is written." });
const jobsQuery = z.strictObject({ ...jobFilter.query, format });
const auditQuery = z.strictObject({ ...auditFilter.query, format });

const types = { csv: "text/csv; charset=utf-8; header=present", ndjson: "application/x-ndjson" } as const;

const file = {
  description: "The file.",
  content: {
    "text/csv": { schema: { type: "string" } },
    "application/x-ndjson": { schema: { type: "string" } },
  },
};

const exportJobsSchema = {
  operationId: "exportJobs",
  summary: "Export all jobs that match",
  description:
    "As a file: CSV, or NDJSON with each job as in the list. The answer is streamed; it breaks off if Redis goes away.",
  tags: ["operate"],
  querystring: z.toJSONSchema(jobsQuery, { io: "input" }),
  response: { 200: file, ...problemResponses("INVALID_REQUEST", "STORE_UNAVAILABLE") },
};

const exportAuditSchema = {
  operationId: "exportAudit",
  summary: "Export the audit log",
  description:
    "As a file, the latest first: CSV, or NDJSON with each entry as in the list. The answer is streamed; it breaks off if Redis goes away.",
  tags: ["operate"],
  querystring: z.toJSONSchema(auditQuery, { io: "input" }),
  response: {
    200: file,
    ...problemResponses("INVALID_REQUEST", "JOB_NOT_FOUND", "QUEUE_NOT_FOUND", "STORE_UNAVAILABLE"),
  },
};

/** `GET /jobs/export` and `GET /audit/export`: a filtered list as a file. */
export function addExportRoutes(server: FastifyInstance, { operator, openRequests }: ApiParts): void {
  const config = { scope: "read" } as const;
  server.get("/jobs/export", { config, schema: exportJobsSchema }, async ({ query }, reply) => {
    const { format, ...filter } = parseInput(jobsQuery, query);
    return await send(reply, exportJobs(operator, filter, format), `jobs.${format}`, types[format]);
  });
  server.get("/audit/export", { config, schema: exportAuditSchema }, async ({ query }, reply) => {
    const { format, ...filter } = parseInput(auditQuery, query);
    return await send(reply, exportAudit(operator, filter, format), `audit.${format}`, types[format]);
  });

  async function send(reply: FastifyReply, pages: AsyncGenerator<string, void>, name: string, type: string) {
    // Before the head is sent, a failure can still be a problem.
    const first = await pages.next();
    const body = Readable.from(joined(first.value ?? "", pages), { objectMode: false });
    openRequests.keepOpen(reply.raw, () => body.destroy());
    return reply.type(type).header("Content-Disposition", `attachment; filename="${name}"`).send(body);
  }
}

async function* joined(first: string, others: AsyncIterable<string>): AsyncGenerator<string> {
  if (first !== "") yield first;
  for await (const page of others) if (page !== "") yield page;
}
