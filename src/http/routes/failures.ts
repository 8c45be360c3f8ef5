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
        "Why they failed, e.g. HANDLER_FAILED. CANCELLED and EFFECT_IN_DOUBT are retried only where they are named here.",
    }),
    all: z.literal(true).optional().meta({ description: "In place of type and code: every failed job." }),
    dryRun: z
      .boolean()
      .default(false)
      .meta({ description: "Changes nothing, and answers what would be retried, whatever the limit." }),
    before: z.iso.datetime().meta({
      description: "Only those that failed until then, so that what fails again is not retried for ever.",
    }),
    limit: z.int().min(1).max(500).default(100),
    cursor: z.string().max(64).optional().meta({ description: "nextCursor of the answer before." }),
  })
  .meta({
    examples: [{ type: "webhook", code: "HANDLER_FAILED", before: "2026-11-24T15:00:00Z", limit: 100 }],
  });
const retriedSchema = z.object({
  retried: z.int(),
  skipped: z.int().meta({ description: "Those that had moved on, or gone, by then." }),
  matching: z
    .array(z.object({ type: z.string(), code: z.string(), count: z.int(), exampleIds: z.array(z.string()) }))
    .meta({ description: "What was retried, or in a dry run would be, the most frequent first." }),
  leftAlone: z.int().meta({
    description:
      "Cancelled jobs and jobs in doubt of this filter, which stay as they are: their code was not given.",
  }),
  before: z.iso
    .datetime()
    .meta({ description: "The instant that counted: the store's now where yours was later." }),
  nextCursor: z.string().nullable().meta({ description: "Null when none are left." }),
});

/** The operator's hand on many failed jobs at once: `GET /failures`, `POST /failures/retry`. */
export function addFailureRoutes(server: FastifyInstance, { operator }: ApiParts): void {
  server.get(
    "/failures",
    {
      config: { scope: "read" },
      schema: {
        summary: "Group failed jobs",
        description: "By type and reason, the most frequent first.",
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
        summary: "Retry failed jobs",
        description:
          "By type, code, or all; those that failed first first, up to `limit`; call again with `nextCursor` until it is null. Effects that are done stay done. Cancelled jobs and jobs in doubt stay as they are unless their code is given.",
        tags: ["operate"],
        body: z.toJSONSchema(querySchema, { io: "input" }),
        response: {
          200: { ...z.toJSONSchema(retriedSchema), description: "How far it got." },
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
