import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { failureGroupsSchema } from "../../../desk/jobs/failure-groups.ts";
import { problemResponses } from "../body/problem.ts";
import type { ApiParts } from "../parts.ts";

/** `GET /failures`: failed jobs by reason. */
export function addFailureRoutes(server: FastifyInstance, { operator }: ApiParts): void {
  server.get(
    "/failures",
    {
      config: { scope: "read" },
      schema: {
        operationId: "groupFailures",
        summary: "Group failed jobs",
        description: "By type, code and message, most frequent first.",
        tags: ["operate"],
        response: {
          200: { ...z.toJSONSchema(failureGroupsSchema), description: "The groups." },
          ...problemResponses("STORE_UNAVAILABLE"),
        },
      },
    },
    async (_request, reply) => reply.header("Cache-Control", "no-store").send(await operator.failures()),
  );
}
