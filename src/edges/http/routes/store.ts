import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { parseInput } from "../body/parse-input.ts";
import { problemResponses } from "../body/problem.ts";
import { callerOf } from "../guard/access.ts";
import type { ApiParts } from "../parts.ts";

const acceptanceSchema = z
  .strictObject({
    evidence: z.string().min(1).max(2_000).meta({
      description: "What was lost, as far as you know, and why work may continue. Kept in the audit log.",
    }),
  })
  .meta({
    examples: [{ evidence: "Restored the backup of 03:00; what came in since was compared by hand" }],
  });
const acceptedSchema = z.object({
  accepted: z.array(z.string()).meta({ description: "The queues that had lost data; none if all is well." }),
});

/** `POST /store/accept-loss`: an operator accepts that Redis has lost data. */
export function addRedisRoutes(server: FastifyInstance, { operator }: ApiParts): void {
  server.post(
    "/store/accept-loss",
    {
      config: { scope: "operate" },
      schema: {
        operationId: "acceptLoss",
        summary: "Accept that Redis has lost data",
        description:
          "If Redis comes back with less than it had acknowledged, no job is accepted and no effect begins until an operator accepts the loss. Effects that were running at the time are in doubt either way.",
        tags: ["operate"],
        body: z.toJSONSchema(acceptanceSchema, { io: "input" }),
        response: {
          200: { ...z.toJSONSchema(acceptedSchema), description: "Every process continues within a second." },
          ...problemResponses("INVALID_REQUEST", "STORE_UNAVAILABLE"),
        },
      },
    },
    async (request) => {
      const { evidence } = parseInput(acceptanceSchema, request.body);
      return { accepted: await operator.acceptLoss({ evidence, by: callerOf(request) }) };
    },
  );
}
