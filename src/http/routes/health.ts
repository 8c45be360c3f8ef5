import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { diagnoseLoss } from "../../operate/diagnose-loss.ts";
import { diagnoseRedis } from "../../operate/diagnose-redis.ts";
import type { Finding } from "../../operate/finding.ts";
import { inTime } from "../../redis/redis-errors.ts";
import type { ApiParts } from "../parts.ts";

const liveSchema = z.object({ status: z.literal("live") });
const readySchema = z.object({
  status: z.enum(["ready", "not ready"]),
  reasons: z
    .array(z.string())
    .meta({ description: "What is missing, and how to mend it; empty when ready." }),
  checks: z
    .array(
      z.object({
        name: z.string(),
        verdict: z.enum(["ok", "warn", "bad"]),
        found: z.string(),
        reason: z.string().nullable(),
        remedy: z.string().nullable(),
      }),
    )
    .meta({ description: "What was looked at in the store; `holdfast doctor` looks at more." }),
});

/** `GET /health/live`: the process runs. `GET /health/ready`: the store is there, and fit for what is promised. */
export function addHealthRoutes(
  server: FastifyInstance,
  { application, client, refusal, settings, stores }: ApiParts,
): void {
  const durability = settings.HOLDFAST_DURABILITY;

  async function look(): Promise<{ reasons: string[]; checks: Finding[] }> {
    try {
      const [store, losses] = await inTime(
        Promise.all([diagnoseRedis(client, durability), diagnoseLoss(application.queues.map(stores.of))]),
      );
      const checks = [...store, ...losses];
      const bad = checks.filter(({ verdict }) => verdict === "bad");
      return { reasons: bad.map(inOneLine), checks };
    } catch {
      return { reasons: [refusal() ?? "The store cannot be reached"], checks: [] };
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
      const found = await look();
      const isReady = found.reasons.length === 0;
      return reply.code(isReady ? 200 : 503).send({ status: isReady ? "ready" : "not ready", ...found });
    },
  );
}

function inOneLine({ name, found, reason, remedy }: Finding): string {
  return `${name}: found ${found}; ${reason}. Remedy: ${remedy}.`;
}
