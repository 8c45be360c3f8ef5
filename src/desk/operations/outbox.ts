import { z } from "zod";
import { codeSchema, mendingSchema, parkedQuerySchema, parkedRowSchema } from "../outbox/outbox-operator.ts";
import { depthSchema } from "../outbox/read-outbox.ts";
import { change, read } from "./operation.ts";

const reason = z
  .string()
  .trim()
  .min(1)
  .max(500)
  .optional()
  .meta({ description: "Kept in the audit log.", examples: ["the order was cancelled"] });
const params = { id: "The row's id." } as const;
const errors = ["INVALID_REQUEST", "OUTBOX_NOT_FOUND", "DATABASE_UNAVAILABLE", "STORE_UNAVAILABLE"] as const;

const parkedAt = z.iso.datetime().optional().meta({
  description:
    "When the row was parked, as you have seen it. If it was parked anew, nothing is done: 409 `CHANGED_MEANWHILE`.",
});

const parkedUntil = z.iso.datetime({ precision: 3 }).optional().meta({
  description:
    "Only rows that were parked until then, such as the latest that you have seen, with milliseconds.",
});

const releaseSchema = mendingSchema
  .extend({ reason, parkedAt })
  .optional()
  .meta({ examples: [{ payload: { orderId: 42 }, reason: "the order's id was missing" }] });

export const outboxOperations = {
  outbox: read({
    id: "readOutbox",
    path: "/outbox",
    summary: "Read how much the outbox has",
    answer: depthSchema.describe("The outbox of the database that `DATABASE_URL` names."),
    errors,
    run: ({ outbox }) => outbox.depth(),
  }),
  parkedRows: read({
    id: "listParkedRows",
    path: "/outbox/parked",
    summary: "List parked rows of the outbox",
    description:
      "Rows that cannot be accepted as they are, each with its problem, and its payload without what its type redacts.",
    input: parkedQuerySchema,
    answer: z.object({ rows: z.array(parkedRowSchema) }).describe("The oldest first."),
    errors,
    returns: "rows",
    run: async ({ outbox }, { input }) => ({ rows: await outbox.parked(input) }),
  }),
  releaseRow: change({
    id: "releaseRow",
    method: "POST",
    path: "/outbox/parked/:id/release",
    summary: "Mend and release a parked row",
    description:
      "What the body has replaces what the row has. A relay then submits it as if it were new. A row that was parked with `OUTBOX_ROW_TOO_OLD` may have become a job already: look for its key first.",
    params,
    input: releaseSchema,
    answer: z.object({ id: z.string() }).describe("It waits for a relay."),
    errors: [...errors, "OUTBOX_ROW_NOT_FOUND", "CHANGED_MEANWHILE"],
    async run({ outbox }, { params: { id }, input: { reason, parkedAt, ...mending } = {}, by }) {
      await outbox.release(id, mending, { by, reason, parkedAt });
      return { id };
    },
  }),
  releaseRows: change({
    id: "releaseRows",
    method: "POST",
    path: "/outbox/release",
    summary: "Release all rows that were parked with a code",
    input: z
      .strictObject({ code: codeSchema, reason })
      .meta({ examples: [{ code: "UNKNOWN_JOB_TYPE", reason: "the relay knows the type now" }] }),
    answer: z.object({ released: z.int() }).describe("They wait for a relay."),
    errors,
    returns: "released",
    run: async ({ outbox }, { input: { code, reason }, by }) => ({
      released: await outbox.releaseAll(code, { by, reason }),
    }),
  }),
  discardRows: change({
    id: "discardRows",
    method: "POST",
    path: "/outbox/discard",
    summary: "Delete all rows that were parked with a code",
    description: "Their jobs will not exist. Rows of their ordering keys that wait behind them go on.",
    input: z
      .strictObject({ code: codeSchema, reason: reason.unwrap(), parkedUntil })
      .meta({ examples: [{ code: "INVALID_PAYLOAD", reason: "a test of the import" }] }),
    answer: z.object({ discarded: z.int() }).describe("They are deleted."),
    errors,
    returns: "discarded",
    run: async ({ outbox }, { input: { code, ...act }, by }) => ({
      discarded: await outbox.discardAll(code, { by, ...act }),
    }),
  }),
  discardRow: change({
    id: "discardRow",
    method: "DELETE",
    path: "/outbox/parked/:id",
    summary: "Delete a parked row",
    description: "Its job will not exist. Rows of its ordering key that wait behind it go on.",
    params,
    input: z.strictObject({ reason, parkedAt }),
    answer: z.object({ id: z.string() }).describe("It is deleted."),
    errors: [...errors, "OUTBOX_ROW_NOT_FOUND", "CHANGED_MEANWHILE"],
    async run({ outbox }, { params: { id }, input: { reason, parkedAt }, by }) {
      await outbox.discard(id, { by, reason, parkedAt });
      return { id };
    },
  }),
};
