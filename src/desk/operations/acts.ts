import { z } from "zod";
import { isoTime } from "../../platform/lib/iso-time.ts";
import { malformed } from "../../platform/lib/parse-json.ts";
import { countOf, matchesSchema } from "../acts/act-matches.ts";
import { actMembers, reasonSchema } from "../acts/act-on-many.ts";
import { actDetailSchema, actStatusSchema } from "../acts/acts.ts";
import { change, read } from "./operation.ts";

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
        description:
          "The `before` of a dry run: of its next part, or of the act that it was looked at for. Jobs that ended since, or to cancel: were submitted, stay as they are.",
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
  ...matchesSchema.shape,
  before: z.iso
    .datetime()
    .meta({ description: "Jobs that end, or to cancel: are submitted, from then on are left out." }),
});
const receiptSchema = z.object({ id: z.string(), duplicate: z.boolean(), statusUrl: z.string() });
const listQuerySchema = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(20).meta({ description: "How many at most." }),
});

const params = { id: "The act's id." } as const;

export const actOperations = {
  startAct: change({
    id: "actOnJobs",
    method: "POST",
    path: "/jobs/acts",
    summary: "Retry, cancel or delete many jobs",
    description:
      "An act is a job itself: any worker runs it, and another one goes on if that dies. It is about the jobs that match when it begins. With an `Idempotency-Key` header the request is safe to send again. With `dryRun` it only counts.",
    input: requestSchema,
    isKeyed: true,
    isCalledByHand: true,
    answer: { text: "What a dry run would do.", schema: previewSchema },
    other: { status: 202, text: "It is accepted.", schema: receiptSchema },
    isOther: (answered) => "id" in answered,
    errors: [
      "INVALID_REQUEST",
      "IDEMPOTENCY_KEY_INVALID",
      "IDEMPOTENCY_KEY_REUSED",
      "STORE_UNAVAILABLE",
      "STORE_FULL",
    ],
    async run({ acts }, { input: { dryRun, reason, before, cursor, ...wanted }, by, key }) {
      const until = before === undefined ? undefined : Date.parse(before);
      if (dryRun) {
        const preview = await acts.preview({ ...wanted, cursor, before: until });
        return { ...preview, count: countOf(preview.matching), before: isoTime(preview.before) };
      }
      if (reason === undefined) throw malformed([{ pointer: "/reason", message: "expected a text" }]);
      const { id, duplicate } = await acts.start({ ...wanted, reason, before: until }, by, key);
      return { id, duplicate, statusUrl: `/jobs/acts/${id}` };
    },
  }),
  acts: read({
    id: "listActs",
    path: "/jobs/acts",
    summary: "List acts on many jobs",
    description: "Those that have not ended first, then the latest.",
    input: listQuerySchema,
    answer: { text: "The acts.", schema: z.object({ acts: z.array(actStatusSchema) }) },
    errors: ["INVALID_REQUEST", "STORE_UNAVAILABLE"],
    positional: ["limit"],
    returns: "acts",
    run: async ({ acts }, { input: { limit } }) => ({ acts: await acts.list(limit) }),
  }),
  act: read({
    id: "readAct",
    path: "/jobs/acts/:id",
    summary: "Read how far an act on many jobs is",
    params,
    answer: { text: "The act.", schema: actDetailSchema },
    errors: ["JOB_NOT_FOUND", "STORE_UNAVAILABLE"],
    run: ({ acts }, { params: { id } }) => acts.read(id),
  }),
  stopAct: change({
    id: "stopAct",
    method: "POST",
    path: "/jobs/acts/:id/stop",
    summary: "Stop an act on many jobs",
    description: "What it has done stays done.",
    params,
    answer: { text: "It has stopped, or is about to.", schema: actStatusSchema },
    errors: ["JOB_NOT_FOUND", "JOB_ENDED", "STORE_UNAVAILABLE"],
    run: ({ acts }, { params: { id }, by }) => acts.stop(id, by),
  }),
};
