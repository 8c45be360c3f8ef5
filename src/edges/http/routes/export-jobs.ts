import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { exportFormats, exportJobs } from "../../../desk/jobs/export-jobs.ts";
import { jobFilter } from "../../../desk/jobs/job-filter.ts";
import { parseInput } from "../../../platform/lib/parse-json.ts";
import { problemResponses } from "../body/problem.ts";
import type { ApiParts } from "../parts.ts";

const querySchema = z.strictObject({
  ...jobFilter.query,
  format: z.enum(exportFormats).default("csv").meta({ description: "How the file is written." }),
});

const types = { csv: "text/csv; charset=utf-8; header=present", ndjson: "application/x-ndjson" } as const;

const exportJobsSchema = {
  operationId: "exportJobs",
  summary: "Export all jobs that match",
  description:
    "As a file: CSV, or NDJSON with each job as in the list. The answer is streamed; it breaks off if Redis goes away.",
  tags: ["operate"],
  querystring: z.toJSONSchema(querySchema, { io: "input" }),
  response: {
    200: {
      description: "The file.",
      content: {
        "text/csv": { schema: { type: "string" } },
        "application/x-ndjson": { schema: { type: "string" } },
      },
    },
    ...problemResponses("INVALID_REQUEST", "STORE_UNAVAILABLE"),
  },
};

/** `GET /jobs/export`: a filtered list as a file. */
export function addExportRoute(server: FastifyInstance, { operator, openRequests }: ApiParts): void {
  server.get(
    "/jobs/export",
    { config: { scope: "read" }, schema: exportJobsSchema },
    async ({ query }, reply) => {
      const { format, ...filter } = parseInput(querySchema, query);
      const pages = exportJobs(operator, filter, format);
      // Before the head is sent, a failure can still be a problem.
      const first = await pages.next();
      const file = Readable.from(joined(first.value ?? "", pages), { objectMode: false });
      openRequests.keepOpen(reply.raw, () => file.destroy());
      return reply
        .type(types[format])
        .header("Cache-Control", "no-store")
        .header("Content-Disposition", `attachment; filename="jobs.${format}"`)
        .send(file);
    },
  );
}

async function* joined(first: string, others: AsyncIterable<string>): AsyncGenerator<string> {
  if (first !== "") yield first;
  for await (const page of others) if (page !== "") yield page;
}
