import type { FastifyInstance } from "fastify";
import { jobNotFound } from "../../../core/job/job-id.ts";
import { openStatusReader } from "../../../core/status/read-status.ts";
import { jobDetailSchema, readDetail } from "../../../desk/jobs/job-detail.ts";
import { answer, component } from "../body/component.ts";
import { problemResponses } from "../body/problem.ts";
import type { ApiParts } from "../parts.ts";

/** `GET /jobs/:id`: everything known about a job. */
export function addJobDetailRoute(server: FastifyInstance, parts: ApiParts): void {
  const readStatus = openStatusReader(parts.stores);
  server.get<{ Params: { id: string } }>(
    "/jobs/:id",
    {
      config: { scope: "read" },
      schema: {
        operationId: "readJob",
        summary: "Read everything known about a job",
        description: "Its status, its payload, each failed attempt, and its log.",
        tags: ["operate"],
        params: { type: "object", properties: { id: { type: "string", description: "The job's id." } } },
        response: {
          200: answer("The job.", component("JobDetail", jobDetailSchema)),
          ...problemResponses("JOB_NOT_FOUND", "STORE_UNAVAILABLE"),
        },
      },
    },
    async ({ params: { id } }, reply) => {
      const detail = await readDetail(
        parts.stores,
        parts.application.jobs,
        readStatus,
        id,
        parts.settings.HOLDFAST_TRACE_URL,
      );
      if (detail === undefined) throw jobNotFound();
      return reply.header("Cache-Control", "no-store").send(detail);
    },
  );
}
