import { z } from "zod";
import { parseInput } from "../../platform/lib/parse-json.ts";
import { scheduleDefinitionSchema } from "../../roles/schedules/definition.ts";
import { pastTickSchema, scheduleStatusSchema } from "../../roles/schedules/schedule-status.ts";
import { type ExplainedTick, schedulePageSchema } from "../schedules.ts";
import { expectPause, expectSkip, expectVersion, pauseReason } from "./act-inputs.ts";
import { COMPONENT_NAME, change, read } from "./operation.ts";
import { receiptBody, receiptSchema, receiptStatus } from "./receipt.ts";

const count = (max: number, fallback: number, description: string) =>
  z.coerce.number().int().min(1).max(max).default(fallback).meta({ description });
const instantSchema = z.iso.datetime({ offset: true });
const explanationSchema = z
  .object({ kind: z.string(), text: z.string().meta({ description: "The explanation as a sentence." }) })
  .loose() as z.ZodType as z.ZodType<ExplainedTick>;
const receipt = receiptSchema.meta({ [COMPONENT_NAME]: "Receipt" });

const params = { name: "The schedule's name." } as const;
const errors = ["INVALID_REQUEST", "SCHEDULE_NOT_FOUND", "STORE_UNAVAILABLE"] as const;

export const scheduleOperations = {
  schedules: read({
    id: "listSchedules",
    path: "/schedules",
    summary: "List schedules",
    description:
      "Each schedule's next ticks, and the job of its last one. Those that the application declares are on the first page; those that were put at run time follow by name, `limit` a page.",
    input: z.strictObject({
      prefix: z.string().max(64).optional().meta({ description: "What the names begin with." }),
      cursor: z.string().max(64).optional().meta({ description: "The `nextCursor` of the page before." }),
      limit: count(500, 100, "How many of those that were put at run time, at most."),
      next: count(100, 5, "How many future ticks to list."),
      past: z.coerce
        .number()
        .int()
        .min(0)
        .max(48)
        .default(0)
        .meta({ description: "How many ticks that were due to list, with what became of each." }),
    }),
    answer: schedulePageSchema.describe("One page of schedules."),
    errors: ["INVALID_REQUEST", "STORE_UNAVAILABLE"],
    run: ({ schedules }, { input }) => schedules.list(input),
  }),
  putSchedule: change({
    id: "putSchedule",
    method: "PUT",
    path: "/schedules/:name",
    summary: "Put a schedule",
    description:
      "Makes a schedule at run time, or changes one. Ticks after this instant, by Redis's clock, are those of the new version; earlier ones stay as they were. Safe to send again. 409 `SCHEDULE_DECLARED` for a schedule of the application's code.",
    params,
    input: scheduleDefinitionSchema
      .extend({ expect: expectVersion })
      .meta(scheduleDefinitionSchema.meta() ?? {}),
    answer: scheduleStatusSchema.describe("It is in force."),
    errors: [
      "INVALID_REQUEST",
      "CHANGED_MEANWHILE",
      "UNKNOWN_JOB_TYPE",
      "INVALID_PAYLOAD",
      "SCHEDULE_DECLARED",
      "STORE_UNAVAILABLE",
      "STORE_FULL",
    ],
    run: ({ schedules }, { params: { name }, input: { expect, ...definition }, by }) =>
      schedules.put(name, definition, { by }, expect?.version),
  }),
  scheduleDefinition: read({
    id: "readScheduleDefinition",
    path: "/schedules/:name/definition",
    summary: "Read what was put of a schedule",
    description: "The version in force, the secrets of its payload redacted.",
    params,
    answer: scheduleDefinitionSchema.describe("As it was put."),
    errors: ["SCHEDULE_NOT_FOUND", "SCHEDULE_DECLARED", "STORE_UNAVAILABLE"],
    run: ({ schedules }, { params: { name } }) => schedules.definition(name),
  }),
  deleteSchedule: change({
    id: "deleteSchedule",
    method: "DELETE",
    path: "/schedules/:name",
    summary: "Delete a schedule that was put",
    description: "It has no tick after this instant. Jobs of earlier ticks go on.",
    params,
    input: z.strictObject({
      version: z.coerce.number().int().min(1).optional().meta({
        description:
          "Only this version, as you have seen it: if it has another, nothing is done: 409 `CHANGED_MEANWHILE`.",
      }),
    }),
    answer: z.object({ name: z.string(), outcome: z.literal("deleted") }).describe("It is gone."),
    errors: [
      "INVALID_REQUEST",
      "SCHEDULE_NOT_FOUND",
      "SCHEDULE_DECLARED",
      "CHANGED_MEANWHILE",
      "STORE_UNAVAILABLE",
    ],
    returns: "outcome",
    async run({ schedules }, { params: { name }, input: { version }, by }) {
      await schedules.delete(name, { by }, version);
      return { name, outcome: "deleted" as const };
    },
  }),
  ticks: read({
    id: "listTicks",
    path: "/schedules/:name/ticks",
    summary: "List what became of a schedule's ticks",
    params,
    input: z.strictObject({ limit: count(500, 48, "How many ticks at most.") }),
    answer: z.object({ ticks: z.array(pastTickSchema) }).describe("Past ticks, newest first."),
    errors,
    positional: ["limit"],
    returns: "ticks",
    run: async ({ schedules }, { params: { name }, input: { limit } }) => ({
      ticks: await schedules.ticks(name, limit),
    }),
  }),
  explainTick: read({
    id: "explainTick",
    path: "/schedules/:name/ticks/:at",
    summary: "Explain why a tick did or did not run",
    params: { ...params, at: "The instant, e.g. 2026-12-01T09:00:00Z." },
    answer: explanationSchema.describe("What became of it, and why."),
    errors,
    run: async ({ schedules }, { params: { name, at } }) =>
      await schedules.explain(name, Date.parse(parseInput(instantSchema, at))),
  }),
  runSchedule: change({
    id: "runSchedule",
    method: "POST",
    path: "/schedules/:name/run",
    summary: "Run a schedule's job now",
    description:
      "This does not change its ticks. With an `Idempotency-Key` header the request is safe to send again.",
    params,
    isKeyed: true,
    answer: { text: "It was accepted before.", schema: receipt },
    other: { status: 202, text: "The job is accepted.", schema: receipt },
    isOther: (answered) => receiptStatus(answered) === 202,
    errors: [
      "IDEMPOTENCY_KEY_INVALID",
      "SCHEDULE_NOT_FOUND",
      "IDEMPOTENCY_KEY_REUSED",
      "STORE_UNAVAILABLE",
      "STORE_FULL",
    ],
    run: async ({ schedules }, { params: { name }, by, key }) =>
      receiptBody(await schedules.run(name, { by }, key)),
  }),
  pauseSchedule: change({
    id: "pauseSchedule",
    method: "POST",
    path: "/schedules/:name/pause",
    summary: "Pause a schedule",
    description:
      "Its ticks are skipped until it is resumed, or until `until`, and not caught up then. Jobs of earlier ticks go on.",
    params,
    input: pauseReason("the warehouse is being moved").extend({
      expect: expectPause,
      until: instantSchema
        .optional()
        .meta({ description: "When it ends by itself, with its zone. Without it, somebody resumes it." }),
    }),
    answer: scheduleStatusSchema.describe("It is paused."),
    errors: [...errors, "CHANGED_MEANWHILE"],
    run: ({ schedules }, { params: { name }, input: { reason, until, expect }, by }) =>
      schedules.pause(
        name,
        { reason, by, until: until === undefined ? undefined : Date.parse(until) },
        expect,
      ),
  }),
  skipTick: change({
    id: "skipTick",
    method: "POST",
    path: "/schedules/:name/skip",
    summary: "Skip one tick of a schedule",
    description:
      "A tick that is not due yet. It is not caught up. `undo` takes that back, as long as it is not due.",
    params,
    input: z
      .strictObject({
        reason: pauseReason("")
          .shape.reason.optional()
          .meta({ description: "Shown until then, and kept in the audit log. Needed unless `undo`." }),
        at: instantSchema.meta({ description: "The tick.", examples: ["2026-12-24T09:00:00Z"] }),
        undo: z.boolean().default(false).meta({ description: "Let it run after all." }),
        expect: expectSkip,
      })
      .refine(({ reason, undo }) => undo || reason !== undefined, {
        path: ["reason"],
        error: "expected a text",
      })
      .meta({ examples: [{ at: "2026-12-24T09:00:00Z", reason: "the warehouse is closed" }] }),
    answer: scheduleStatusSchema.describe("It will be skipped."),
    errors: [...errors, "CHANGED_MEANWHILE"],
    run: ({ schedules }, { params: { name }, input: { at, undo, reason, expect }, by }) =>
      undo
        ? schedules.unskip(name, Date.parse(at), { by }, expect?.isSkipped)
        : schedules.skip(name, Date.parse(at), { reason: reason ?? "", by }, expect?.isSkipped),
  }),
  resumeSchedule: change({
    id: "resumeSchedule",
    method: "POST",
    path: "/schedules/:name/resume",
    summary: "Resume a schedule",
    params,
    input: z.strictObject({ expect: expectPause }).optional(),
    answer: scheduleStatusSchema.describe("It is not paused."),
    errors: [...errors, "CHANGED_MEANWHILE"],
    run: ({ schedules }, { params: { name }, input: { expect } = {}, by }) =>
      schedules.resume(name, { by }, expect),
  }),
};
