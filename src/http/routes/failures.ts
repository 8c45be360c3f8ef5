import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { isoTime } from "../../lib/iso-time.ts";
import { failureGroupsSchema } from "../../operate/failure-groups.ts";
import { parseInput } from "../parse-input.ts";
import type { ApiParts } from "../parts.ts";
import { problemResponses } from "../problem.ts";

const querySchema = z
  .strictObject({
    type: z.string().max(64).optional(),
    code: z.string().max(64).optional().meta({
      description:
        "Why they failed, e.g. HANDLER_FAILED. CANCELLED and EFFECT_IN_DOUBT are retried only if named here.",
    }),
    all: z.literal(true).optional().meta({ description: "Instead of type and code: every failed job." }),
    dryRun: z
      .boolean()
      .default(false)
      .meta({ description: "Changes nothing, and answers what would be retried without a limit." }),
    before: z.iso.datetime().meta({
      description: "Only jobs that failed by then, so that jobs that fail again are not retried for ever.",
    }),
    limit: z.int().min(1).max(500).default(100),
    cursor: z.string().max(64).optional().meta({ description: "nextCursor of the previous answer." }),
  })
  .meta({
    examples: [{ type: "webhook", code: "HANDLER_FAILED", before: "2026-11-24T15:00:00Z", limit: 100 }],
  });
const retriedSchema = z.object({
  retried: z.int(),
  skipped: z.int().meta({ description: "Jobs that were no longer failed, or gone." }),
  matching: z
    .array(z.object({ type: z.string(), code: z.string(), count: z.int(), exampleIds: z.array(z.string()) }))
    .meta({ description: "What was retried, or in a dry run would be, most frequent first." }),
  leftAlone: z.int().meta({
    description:
      "Matching jobs that were cancelled or are in doubt. They stay as they are unless their code is given.",
  }),
  before: z.iso.datetime().meta({ description: "The `before` that counted: at most Redis's current time." }),
  nextCursor: z.string().nullable().meta({ description: "Null if none are left." }),
});

/** `GET /failures`, `POST /failures/retry`: many failed jobs at once. */
export function addFailureRoutes(server: FastifyInstance, { operator }: ApiParts): void {
  server.get(
    "/failures",
    {
      config: { scope: "read" },
      schema: {
        operationId: "groupFailures",
        summary: "Group failed jobs",
        description: "By type and reason, most frequent first.",
        tags: ["operate"],
        response: {
          200: { ...z.toJSONSchema(failureGroupsSchema), description: "The groups." },
          ...problemResponses("STORE_UNAVAILABLE"),
        },
      },
    },
    async (_request, reply) => reply.header("Cache-Control", "no-store").send(await operator.failures()),
  );
  server.post(
    "/failures/retry",
    {
      config: { scope: "operate" },
      schema: {
        operationId: "retryFailures",
        summary: "Retry failed jobs",
        description:
          "By type, code, or all. Retries up to `limit` jobs, oldest failure first; call again with `nextCursor` until it is null. Effects that are done stay done. Cancelled jobs and jobs in doubt stay as they are unless their code is given.",
        tags: ["operate"],
        body: z.toJSONSchema(querySchema, { io: "input" }),
        response: {
          200: { ...z.toJSONSchema(retriedSchema), description: "What was retried." },
          ...problemResponses("INVALID_REQUEST", "STORE_UNAVAILABLE"),
        },
      },
    },
    async ({ body }) => {
      const { before, ...query } = parseInput(querySchema, body);
      const retried = await operator.retryFailed({ ...query, before: Date.parse(before) });
      return { ...retried, before: isoTime(retried.before) };
    },
  );
}
