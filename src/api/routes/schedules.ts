import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { readSchedule, scheduleStatusSchema } from "../../status/schedule-status.ts";
import { parseInput } from "../parse-input.ts";
import type { ApiParts } from "../parts.ts";
import { problemResponses } from "../problem.ts";

const querySchema = z.strictObject({
  next: z.coerce
    .number()
    .int()
    .min(1)
    .max(100)
    .default(5)
    .meta({ description: "How many of the next ticks to tell." }),
});

/** `GET /schedules`: what will run by the clock, and what came of the last time. */
export function addScheduleRoute(server: FastifyInstance, { application, client, settings }: ApiParts): void {
  const reader = { client, prefix: settings.HOLDFAST_PREFIX, retentionMs: settings.HOLDFAST_RETENTION_MS };
  server.get(
    "/schedules",
    {
      config: { scope: "read" },
      schema: {
        summary: "List schedules",
        description:
          "Their next ticks, and the job of the last one. Nothing of it is stored: it is read from keys and jobs.",
        tags: ["operate"],
        querystring: z.toJSONSchema(querySchema, { io: "input" }),
        response: {
          200: z.toJSONSchema(z.object({ schedules: z.array(scheduleStatusSchema) })),
          ...problemResponses("INVALID_REQUEST", "STORE_UNAVAILABLE"),
        },
      },
    },
    async ({ query }) => {
      const { next } = parseInput(querySchema, query);
      return {
        schedules: await Promise.all(
          application.schedules.map((schedule) => readSchedule(reader, schedule, next)),
        ),
      };
    },
  );
}
