import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { instantInQuery } from "../../../desk/jobs/instant-schemas.ts";
import { historySchema } from "../../../features/history/history.ts";
import { answer, component } from "../body/component.ts";
import { parseInput } from "../body/parse-input.ts";
import { problemResponses } from "../body/problem.ts";
import type { ApiParts } from "../parts.ts";

const STEP = /^([1-9]\d{0,4})([mhd])$/;
const unitMs: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

const querySchema = z.strictObject({
  queue: z.string().max(64).optional().meta({ description: "Without it: all queues." }),
  type: z.string().max(64).optional().meta({ description: "Without it: all job types." }),
  from: instantInQuery("Without it: three hours before `to`."),
  to: instantInQuery("Exclusive. Without it: now."),
  step: z
    .string()
    .regex(STEP, { error: 'expected minutes, hours or days, such as "5m", "1h" or "1d"' })
    .optional()
    .meta({
      description:
        'Such as "5m", "1h" or "1d"; whole hours for what is older than two days. Without it: what gives at most 240 points.',
    }),
});

const readHistorySchema = {
  operationId: "readHistory",
  summary: "Read what happened",
  description:
    "Counts of attempts by outcome, and how long they waited and ran, by the minute for 2 days and by the hour for 15, whether or not anybody watched. With the starts of workers, pauses and bulk acts of that time.",
  tags: ["operate"],
  querystring: z.toJSONSchema(querySchema, { io: "input" }),
  response: {
    200: answer("The history.", component("History", historySchema)),
    ...problemResponses("INVALID_REQUEST", "QUEUE_NOT_FOUND", "STORE_UNAVAILABLE"),
  },
};

/** `GET /history`: what happened, by the minute or hour. */
export function addHistoryRoute(server: FastifyInstance, { operator }: ApiParts): void {
  server.get(
    "/history",
    { config: { scope: "read" }, schema: readHistorySchema },
    async ({ query }, reply) => {
      const { step, ...wanted } = parseInput(querySchema, query);
      const history = await operator.history({
        ...wanted,
        stepMs: step === undefined ? undefined : stepMs(step),
      });
      return reply.header("Cache-Control", "no-store").send(history);
    },
  );
}

function stepMs(step: string): number {
  const [, count, unit = "m"] = STEP.exec(step) ?? [];
  return Number(count) * (unitMs[unit] ?? 0);
}
