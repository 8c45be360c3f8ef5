import { z } from "zod";
import { evidenceDescription } from "../../core/job/job-status.ts";
import { resolvedJobs } from "../../core/job/resolution.ts";
import { outgoingSchema } from "../../evidence/outgoing/outgoing.ts";
import { isoTime } from "../../platform/lib/iso-time.ts";
import { doubtedRunShape } from "../doubts/doubted-runs.ts";
import type { Doubt } from "../doubts/doubts.ts";
import { doubtFilterQuery, doubtFilterSchema, RESOLVED_AT_ONCE_MAX } from "../doubts/doubts-many.ts";
import { change, read } from "./operation.ts";

const PAGE_MAX = 200;

const querySchema = z.strictObject({
  ...doubtFilterQuery,
  limit: z.coerce.number().int().min(1).max(PAGE_MAX).default(50),
  offset: z.coerce.number().int().min(0).max(100_000).default(0),
});
const doubtSchema = z.object({
  jobId: z.string(),
  type: z.string().nullable().meta({ description: "Null where the retention has removed the job." }),
  idempotencyKey: z.string().nullable(),
  effect: z.string().meta({ description: "With /index if the effect has one." }),
  effectKey: z.string().nullable().meta({
    description:
      "The effect's key, which it may have passed downstream: look for it there. Null if the effect's name cannot be decrypted.",
  }),
  queue: z.string(),
  since: z.iso.datetime(),
  reason: z.string().meta({ description: "Why nobody can know." }),
  start: z.int().meta({ description: "The job's start that ran it." }),
  worker: z.string(),
  report: z
    .enum(["done", "not-done"])
    .nullable()
    .meta({ description: "What its worker reported afterwards: too late to count, but good evidence." }),
  evidence: z.array(outgoingSchema).meta({ description: evidenceDescription }),
  ...doubtedRunShape,
});
const pageSchema = z.object({ doubts: z.array(doubtSchema) });

const confirmSchema = z
  .boolean()
  .optional()
  .meta({
    description: "Say not-done although the first run may still be under way, and act later.",
    examples: [false],
  });

const resolutionSchema = z
  .strictObject({
    as: z.enum(["done", "not-done"]),
    evidence: z.string().min(1).max(2_000).meta({ description: "How you know. Kept in the audit log." }),
    result: z
      .unknown()
      .optional()
      .meta({ description: "What the effect would have returned; only with done." }),
    confirm: confirmSchema,
  })
  .meta({ examples: [{ as: "done", evidence: "Seen in the recipient's mailbox" }] });

const doubtIdSchema = z.strictObject({ jobId: z.string().max(200), effect: z.string().max(512) });
const manySchema = z
  .strictObject({
    ids: z.array(doubtIdSchema).min(1).max(RESOLVED_AT_ONCE_MAX).optional(),
    filter: doubtFilterSchema.optional(),
    all: z.literal(true).optional().meta({ description: "Instead of ids or a filter: every doubt." }),
    as: z.enum(["done", "not-done"]).meta({ examples: ["done"] }),
    evidence: z
      .string()
      .min(1)
      .max(2_000)
      .meta({
        description: "How you know. Kept in the audit log with each.",
        examples: ["The provider's export of 12:00"],
      }),
    confirm: confirmSchema,
    completeUntil: z.iso
      .datetime({ offset: true })
      .optional()
      .meta({
        description:
          "Only with not-done: until when an export is complete that does not name them. Those in doubt since a minute before, or later, stay.",
        examples: ["2026-11-24T03:40:00Z"],
      }),
    dryRun: z
      .boolean()
      .default(false)
      .meta({ description: "Change nothing, and answer what would be resolved." }),
    before: z.iso
      .datetime()
      .optional()
      .meta({
        description: "`before` of the first call, as long as some remain: doubts that began since then stay.",
        examples: ["2026-11-24T15:00:00Z"],
      }),
  })
  .meta({
    examples: [
      {
        filter: { type: "invoice", effect: "charge" },
        as: "done",
        evidence: "In the provider's export of 12:00",
        dryRun: true,
      },
    ],
  });
const manyResolvedSchema = z.object({
  count: z.int().meta({ description: "How many matched at the beginning of this call." }),
  resolved: z.int(),
  skipped: z.array(doubtIdSchema.extend({ code: z.string() })).meta({
    description:
      "Those that were no longer in doubt; and those that stay: `RUN_MAY_BE_PENDING`, because their first run may still be under way (`confirm` resolves these as well); `BEGAN_TOO_LATE`, because of `completeUntil`.",
  }),
  remaining: z.int().meta({ description: "Call again, with `before`, while this is above 0." }),
  isExact: z.boolean().meta({ description: "If not, there are at least as many as the counts say." }),
  before: z.iso.datetime(),
  doubts: z.array(doubtSchema).meta({ description: "Of a dry run: at most 1,000 of them." }),
});

const resolvedSchema = z.object({
  id: z.string(),
  effect: z.string(),
  as: z.enum(["done", "not-done"]),
  job: z.enum(resolvedJobs).meta({
    description:
      "What happens to the job. retried: it continues; running: it has not ended, and uses the answer; in-doubt: another of its effects is in doubt, and it continues once that is resolved; cancelled: it stays cancelled; completed: it had completed; gone: the retention has removed it, so nothing continues.",
  }),
});

export const doubtOperations = {
  doubts: read({
    id: "listDoubts",
    path: "/doubts",
    summary: "List effects in doubt",
    description: "Side effects that may or may not have happened, oldest first.",
    input: querySchema,
    answer: pageSchema.describe("Oldest first."),
    errors: ["INVALID_REQUEST", "STORE_UNAVAILABLE"],
    returns: "doubts",
    run: async (operator, { input: { offset, limit, ...filter } }) => ({
      doubts: (await operator.doubts(offset, limit, filter)).map(shown),
    }),
  }),
  resolveDoubts: change({
    id: "resolveDoubts",
    method: "POST",
    path: "/doubts/resolve",
    summary: "Resolve many effects in doubt with one piece of evidence",
    description:
      "Those named by `ids`, those that match `filter`, or `all`; at most 1,000 a call. Each becomes done or not done as by a call of its own. Safe to send again: what is resolved stays so.",
    input: manySchema,
    answer: manyResolvedSchema.describe("What was resolved, or would be."),
    errors: ["INVALID_REQUEST", "STORE_UNAVAILABLE"],
    async run(operator, { input: { before, completeUntil, ...wanted }, by }) {
      const instants = { before: msOf(before), completeUntil: msOf(completeUntil) };
      const answer = await operator.resolveMany({ ...wanted, by, ...instants });
      return { ...answer, before: isoTime(answer.before), doubts: answer.doubts.map(shown) };
    },
  }),
  resolve: change({
    id: "resolveEffect",
    method: "POST",
    path: "/jobs/:id/effects/:name/resolve",
    summary: "Resolve an effect in doubt",
    description:
      "`done`: it happened, and is not run again. `not-done`: it did not happen, and may run; where its first run may still be under way, that needs `confirm`. Either way, a job that waits for it continues; `job` says what happens to it.",
    params: { id: "The job's id.", name: "The effect, as the list of doubts names it." },
    input: resolutionSchema,
    answer: resolvedSchema.describe("Resolved."),
    errors: [
      "INVALID_REQUEST",
      "JOB_NOT_FOUND",
      "EFFECT_NOT_IN_DOUBT",
      "RUN_MAY_BE_PENDING",
      "STORE_UNAVAILABLE",
    ],
    returns: "job",
    async run(operator, { params: { id, name: effect }, input: { as, evidence, result, confirm }, by }) {
      const json = result === undefined ? undefined : JSON.stringify(result);
      const job = await operator.resolve(id, effect, { as, evidence, result: json, by, confirm });
      return { id, effect, as, job };
    },
  }),
};

function msOf(instant: string | undefined): number | undefined {
  return instant === undefined ? undefined : Date.parse(instant);
}

function shown({ dedupKey: _, ...doubt }: Doubt) {
  return doubt;
}
