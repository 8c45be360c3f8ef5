import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { parseRate, RATE_EXPECTED } from "../../../core/job/queue-settings.ts";
import { queueSchema } from "../../../desk/queues/queues.ts";
import { COMPONENT_NAME } from "../body/component.ts";
import { parseInput } from "../body/parse-input.ts";
import { problemResponses } from "../body/problem.ts";
import { callerOf } from "../guard/access.ts";
import type { ApiParts } from "../parts.ts";

const queue = queueSchema.meta({ [COMPONENT_NAME]: "Queue" });
const listSchema = z.object({ queues: z.array(queue) });
const pauseSchema = z
  .strictObject({
    reason: z.string().trim().min(1).max(500).meta({ description: "Shown while it is paused." }),
  })
  .meta({ examples: [{ reason: "the mail provider is down" }] });
const limitsSchema = z
  .strictObject({
    concurrency: z.int().min(1).max(1_000_000).nullish(),
    rate: z
      .string()
      .refine((text) => parseRate(text) !== undefined, { error: `expected ${RATE_EXPECTED}` })
      .nullish(),
  })
  .meta({ examples: [{ concurrency: 5, rate: "10/1s" }] });

const params = { type: "object", properties: { name: { type: "string", description: "The queue's name." } } };
const answer = (description: string) => ({
  200: { ...z.toJSONSchema(queue), description },
  ...problemResponses("INVALID_REQUEST", "QUEUE_NOT_FOUND", "STORE_UNAVAILABLE"),
});

const listQueues = {
  operationId: "listQueues",
  summary: "List queues",
  tags: ["operate"],
  response: {
    200: { ...z.toJSONSchema(listSchema), description: "Every queue of the application." },
    ...problemResponses("STORE_UNAVAILABLE"),
  },
};

const pauseQueue = {
  operationId: "pauseQueue",
  summary: "Pause a queue",
  description:
    "No further job starts, on any worker; running jobs go on. Jobs are still accepted. It stays paused until it is resumed.",
  tags: ["operate"],
  params,
  body: z.toJSONSchema(pauseSchema, { io: "input" }),
  response: answer("It is paused."),
};

const resumeQueue = {
  operationId: "resumeQueue",
  summary: "Resume a queue",
  tags: ["operate"],
  params,
  response: answer("It is not paused."),
};

const limitQueue = {
  operationId: "limitQueue",
  summary: "Limit a queue",
  description:
    "In place of what the application declares, until it is called again; with no limit at all, the declared ones count again. In a queue with partitions, each partition gets an equal share.",
  tags: ["operate"],
  params,
  body: z.toJSONSchema(limitsSchema, { io: "input" }),
  response: answer("The limits are in force."),
};

type Named = { Params: { name: string } };

/** `GET /queues`, `POST /queues/:name/pause`, `POST /queues/:name/resume`, `PUT /queues/:name/limits`. */
export function addQueueRoutes(server: FastifyInstance, { operator }: ApiParts): void {
  server.get("/queues", { config: { scope: "read" }, schema: listQueues }, async () => ({
    queues: await operator.queues.list(),
  }));
  server.post<Named>(
    "/queues/:name/pause",
    { config: { scope: "operate" }, schema: pauseQueue },
    async (request) => {
      const { reason } = parseInput(pauseSchema, request.body);
      return await operator.queues.pause(request.params.name, { reason, by: callerOf(request) });
    },
  );
  server.post<Named>(
    "/queues/:name/resume",
    { config: { scope: "operate" }, schema: resumeQueue },
    async (request) => await operator.queues.resume(request.params.name, { by: callerOf(request) }),
  );
  server.put<Named>(
    "/queues/:name/limits",
    { config: { scope: "operate" }, schema: limitQueue },
    async (request) => {
      const { concurrency, rate } = parseInput(limitsSchema, request.body);
      const limits = {
        concurrency: concurrency ?? undefined,
        rate: rate == null ? undefined : parseRate(rate),
      };
      return await operator.queues.limit(request.params.name, limits, callerOf(request));
    },
  );
}
