import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { auditStore, describeFlaw } from "../../store/audit.ts";
import { inTime } from "../../store/fault.ts";
import type { ApiParts } from "../parts.ts";

const liveSchema = z.object({ status: z.literal("live") });
const readySchema = z.object({
  status: z.enum(["ready", "not ready"]),
  reasons: z
    .array(z.string())
    .meta({ description: "What is missing, and how to mend it; empty when ready." }),
});

/** `GET /health/live`: the process runs. `GET /health/ready`: the store is there, and fit for what is promised. */
export function addHealthRoutes(server: FastifyInstance, { client, settings }: ApiParts): void {
  const durability = settings.HOLDFAST_DURABILITY;

  async function reasons(): Promise<string[]> {
    try {
      const flaws = await inTime(auditStore(client, durability));
      return flaws.map((flaw) => describeFlaw(flaw, durability));
    } catch {
      return ["The store cannot be reached"];
    }
  }

  server.get(
    "/health/live",
    {
      config: { scope: "public" },
      schema: {
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
        summary: "Can it keep its promises now?",
        tags: ["health"],
        response: {
          200: { ...z.toJSONSchema(readySchema), description: "The store is there, and fit." },
          503: { ...z.toJSONSchema(readySchema), description: "`reasons` tells what is missing." },
        },
      },
    },
    async (_request, reply) => {
      const missing = await reasons();
      return reply
        .code(missing.length === 0 ? 200 : 503)
        .send({ status: missing.length === 0 ? "ready" : "not ready", reasons: missing });
    },
  );
}
