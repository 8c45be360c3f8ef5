import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { countOf } from "../../../desk/acts/act-matches.ts";
import { actMembers, reasonSchema } from "../../../desk/acts/act-on-many.ts";
import { actStatusSchema } from "../../../desk/acts/acts.ts";
import { isoTime } from "../../../platform/lib/iso-time.ts";
import { malformed } from "../../../platform/lib/parse-json.ts";
import { answer } from "../body/component.ts";
import { parseInput } from "../body/parse-input.ts";
import { problemResponses } from "../body/problem.ts";
import { readKeyHeader } from "../body/request-headers.ts";
import { callerOf } from "../guard/access.ts";
import type { ApiParts } from "../parts.ts";

const requestSchema = z
  .strictObject({
    ...actMembers,
    reason: reasonSchema.optional(),
    dryRun: z
      .boolean()
      .default(false)
      .meta({ description: "Changes nothing, and answers what would be done." }),
    before: z.iso
      .datetime()
      .optional()
      .meta({
        description: "Of a dry run: the `before` of the part before this.",
        examples: ["2026-11-24T15:00:00Z"],
      }),
    cursor: z
      .string()
      .max(1_024)
      .optional()
      .meta({ description: "Of a dry run: `nextCursor` of the part before this." }),
  })
  .meta({
    examples: [
      {
        act: "retry",
        filter: { type: "webhook", code: "HANDLER_FAILED" },
        reason: "the shop is back",
        rate: "50/s",
      },
    ],
  });

const previewSchema = z.object({
  count: z.int().meta({ description: "How many jobs it is about." }),
  matching: z
    .array(
      z.object({
        type: z.string(),
        code: z.string().nullable().meta({ description: "Null where they have not failed." }),
        count: z.int(),
        exampleIds: z.array(z.string()),
      }),
    )
    .meta({ description: "The same by type and code, most frequent first." }),
  leftAlone: z.int().meta({
    description:
      "Jobs that were cancelled or are in doubt. A retry leaves them as they are, unless their code is given.",
  }),
  before: z.iso
    .datetime()
    .meta({ description: "Jobs that end, or to cancel: are submitted, from then on are left out." }),
  nextCursor: z.string().nullable().meta({ description: "Null if all were counted." }),
});
const receiptSchema = z.object({ id: z.string(), duplicate: z.boolean(), statusUrl: z.string() });
const listQuerySchema = z.strictObject({ limit: z.coerce.number().int().min(1).max(200).default(20) });

const idParam = { type: "object", properties: { id: { type: "string", description: "The act's id." } } };
const tags = ["operate"];

const startSchema = {
  operationId: "actOnJobs",
  summary: "Retry, cancel or delete many jobs",
  description:
    "An act is a job itself: any worker runs it, and another one goes on if that dies. It is about the jobs that match when it begins. With an `Idempotency-Key` header the request is safe to send again. With `dryRun` it only counts.",
  tags,
  headers: { type: "object", properties: { "Idempotency-Key": { type: "string" } } },
  body: z.toJSONSchema(requestSchema, { io: "input" }),
  response: {
    200: answer("What a dry run would do.", z.toJSONSchema(previewSchema)),
    202: answer("It is accepted.", z.toJSONSchema(receiptSchema)),
    ...problemResponses(
      "INVALID_REQUEST",
      "IDEMPOTENCY_KEY_INVALID",
      "IDEMPOTENCY_KEY_REUSED",
      "STORE_UNAVAILABLE",
      "STORE_FULL",
    ),
  },
};

const listSchema = {
  operationId: "listActs",
  summary: "List acts on many jobs",
  description: "Those that have not ended first, then the latest.",
  tags,
  querystring: z.toJSONSchema(listQuerySchema, { io: "input" }),
  response: {
    200: answer("The acts.", z.toJSONSchema(z.object({ acts: z.array(actStatusSchema) }))),
    ...problemResponses("INVALID_REQUEST", "STORE_UNAVAILABLE"),
  },
};

const readSchema = {
  operationId: "readAct",
  summary: "Read how far an act on many jobs is",
  tags,
  params: idParam,
  response: {
    200: answer("The act.", z.toJSONSchema(actStatusSchema)),
    ...problemResponses("JOB_NOT_FOUND", "STORE_UNAVAILABLE"),
  },
};

const stopSchema = {
  operationId: "stopAct",
  summary: "Stop an act on many jobs",
  description: "What it has done stays done.",
  tags,
  params: idParam,
  response: {
    200: answer("It has stopped, or is about to.", z.toJSONSchema(actStatusSchema)),
    ...problemResponses("JOB_NOT_FOUND", "JOB_ENDED", "STORE_UNAVAILABLE"),
  },
};

type ById = { Params: { id: string } };

/** `/jobs/acts`: many jobs at once. */
export function addActRoutes(server: FastifyInstance, { operator: { acts } }: ApiParts): void {
  server.post("/jobs/acts", { config: { scope: "operate" }, schema: startSchema }, async (request, reply) => {
    const { dryRun, reason, before, cursor, ...wanted } = parseInput(requestSchema, request.body);
    if (dryRun) {
      const preview = await acts.preview({
        ...wanted,
        cursor,
        before: before === undefined ? undefined : Date.parse(before),
      });
      return { ...preview, count: countOf(preview.matching), before: isoTime(preview.before) };
    }
    if (reason === undefined) throw malformed([{ pointer: "/reason", message: "expected a text" }]);
    const { id, duplicate } = await acts.start(
      { ...wanted, reason },
      callerOf(request),
      readKeyHeader(request.raw),
    );
    return reply.code(202).send({ id, duplicate, statusUrl: `/jobs/acts/${id}` });
  });
  server.get("/jobs/acts", { config: { scope: "read" }, schema: listSchema }, async ({ query }) => ({
    acts: await acts.list(parseInput(listQuerySchema, query).limit),
  }));
  server.get<ById>(
    "/jobs/acts/:id",
    { config: { scope: "read" }, schema: readSchema },
    ({ params: { id } }) => acts.read(id),
  );
  server.post<ById>("/jobs/acts/:id/stop", { config: { scope: "operate" }, schema: stopSchema }, (request) =>
    acts.stop(request.params.id, callerOf(request)),
  );
}
