import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { HoldfastError } from "../../errors/holdfast-error.ts";
import { jobStatusSchema } from "../../status/job-status.ts";
import { readStatus } from "../../status/read-status.ts";
import { inTime } from "../../store/fault.ts";
import type { ApiParts } from "../parts.ts";
import { problemResponses } from "../problem.ts";

/** `GET /jobs/:id/status`: any job's state, straight from BullMQ. */
export function addJobStatusRoute(server: FastifyInstance, { client, settings }: ApiParts): void {
  server.get<{ Params: { id: string } }>(
    "/jobs/:id/status",
    {
      config: { scope: "read" },
      schema: {
        summary: "Tell a job's state",
        description: "The one endpoint for every state, read in one atomic step straight from BullMQ.",
        tags: ["jobs"],
        params: {
          type: "object",
          properties: {
            id: { type: "string", description: "The id that the submission was answered with." },
          },
        },
        response: {
          200: { ...z.toJSONSchema(jobStatusSchema), description: "The job as it is now." },
          ...problemResponses("JOB_NOT_FOUND", "STORE_UNAVAILABLE"),
        },
      },
    },
    async ({ params }, reply) => {
      const status = await inTime(readStatus(client, settings.HOLDFAST_PREFIX, params.id));
      if (status === undefined)
        throw new HoldfastError("JOB_NOT_FOUND", "There is no job with this id, or no longer");
      return reply.header("Cache-Control", "no-store").send(status);
    },
  );
}
