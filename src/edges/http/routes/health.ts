import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { type Finding, findingSchema } from "../../../platform/errors/finding.ts";
import { oneAtATime } from "../../../platform/lib/one-at-a-time.ts";
import type { ApiParts } from "../parts.ts";

const liveSchema = z.object({ status: z.literal("live") });
const readySchema = z.object({
  status: z.enum(["ready", "not ready"]),
  reasons: z.array(z.string()).meta({ description: "What is missing, and how to fix it; empty when ready." }),
  checks: z.array(findingSchema).meta({ description: "The checks of Redis; `holdfast doctor` checks more." }),
});

/** `GET /health/live`: the process runs. `GET /health/ready`: Redis answers and meets the requirements. */
export function addHealthRoutes(server: FastifyInstance, { operator, rejection }: ApiParts): void {
  const diagnose = oneAtATime(async (): Promise<{ reasons: string[]; checks: Finding[] }> => {
    try {
      const checks = await operator.checkRedis();
      const bad = checks.filter(({ verdict }) => verdict === "bad");
      return { reasons: bad.map(inOneLine), checks };
    } catch {
      return { reasons: [rejection() ?? "The store cannot be reached"], checks: [] };
    }
  });

  server.get(
    "/health/live",
    {
      config: { scope: "public" },
      schema: {
        operationId: "readLiveness",
        summary: "Is the process alive?",
        tags: ["health"],
        response: { 200: { ...z.toJSONSchema(liveSchema), description: "It is." } },
      },
    },
    async () => ({ status: "live" }),
  );
  server.get(
    "/health/ready",
    {
      config: { scope: "public" },
      schema: {
        operationId: "readReadiness",
        summary: "Can it keep its promises now?",
        tags: ["health"],
        response: {
          200: { ...z.toJSONSchema(readySchema), description: "Redis answers and meets the requirements." },
          503: { ...z.toJSONSchema(readySchema), description: "`reasons` says what is missing." },
        },
      },
    },
    async (_request, reply) => {
      const found = await diagnose();
      const isReady = found.reasons.length === 0;
      return reply.code(isReady ? 200 : 503).send({ status: isReady ? "ready" : "not ready", ...found });
    },
  );
}

function inOneLine({ name, found, reason, remedy }: Finding): string {
  return `${name}: found ${found}; ${reason}. Remedy: ${remedy}.`;
}
