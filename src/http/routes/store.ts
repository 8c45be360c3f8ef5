import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { parseInput } from "../parse-input.ts";
import type { ApiParts } from "../parts.ts";
import { problemResponses } from "../problem.ts";

const acceptanceSchema = z
  .strictObject({
    evidence: z.string().min(1).max(2_000).meta({
      description: "What was lost, as far as you know, and why it may go on. Kept in the audit list.",
    }),
  })
  .meta({
    examples: [{ evidence: "Restored the backup of 03:00; what came in since was compared by hand" }],
  });
const acceptedSchema = z.object({
  accepted: z
    .array(z.string())
    .meta({ description: "The queues that had lost something; none if all is well." }),
});

/** `POST /store/accept-loss`: a person's word that a store with less than it had may be used. */
export function addRedisRoutes(server: FastifyInstance, { operator }: ApiParts): void {
  server.post(
    "/store/accept-loss",
    {
      config: { scope: "operate" },
      schema: {
        summary: "Accept that the store has lost something",
        description:
          "A store that came back with less than it had acknowledged takes no jobs, and no effect begins, until somebody has looked and accepts it. Effects that ran at that moment are in doubt either way.",
        tags: ["operate"],
        body: z.toJSONSchema(acceptanceSchema, { io: "input" }),
        response: {
          200: { ...z.toJSONSchema(acceptedSchema), description: "Every process goes on within a second." },
          ...problemResponses("INVALID_REQUEST", "STORE_UNAVAILABLE"),
        },
      },
    },
    async ({ body, apiKey }) => {
      const { evidence } = parseInput(acceptanceSchema, body);
      return { accepted: await operator.acceptLoss({ evidence, by: apiKey?.name ?? "API" }) };
    },
  );
}
