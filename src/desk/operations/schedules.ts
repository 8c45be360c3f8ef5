import { z } from "zod";
import { pastTickSchema, scheduleStatusSchema } from "../../features/schedules/schedule-status.ts";
import { parseInput } from "../../platform/lib/parse-input.ts";
import type { ExplainedTick } from "../schedules.ts";
import { COMPONENT_NAME, operation } from "./operation.ts";
import { pauseReason } from "./pause-reason.ts";
import { receiptBody, receiptSchema, receiptStatus } from "./receipt.ts";

const count = (max: number, fallback: number, description: string) =>
  z.coerce.number().int().min(1).max(max).default(fallback).meta({ description });
const instantSchema = z.iso.datetime({ offset: true });
const explanationSchema = z
  .object({ kind: z.string(), text: z.string().meta({ description: "The explanation as a sentence." }) })
  .loose() as unknown as z.ZodType<ExplainedTick>;
const receipt = receiptSchema.meta({ [COMPONENT_NAME]: "Receipt" });

const params = { name: "The schedule's name." } as const;
const errors = ["INVALID_REQUEST", "SCHEDULE_NOT_FOUND", "STORE_UNAVAILABLE"] as const;

export const scheduleOperations = {
  schedules: operation({
    id: "listSchedules",
    method: "GET",
    path: "/schedules",
    scope: "read",
    summary: "List schedules",
    description: "Each schedule's next ticks, and the job of its last one.",
    input: z.strictObject({ next: count(100, 5, "How many future ticks to list.") }),
    answer: z.object({ schedules: z.array(scheduleStatusSchema) }),
    errors: ["INVALID_REQUEST", "STORE_UNAVAILABLE"],
    positional: ["next"],
    returns: "schedules",
    run: async ({ schedules }, { input: { next } }) => ({ schedules: await schedules.list(next) }),
  }),
  ticks: operation({
    id: "listTicks",
    method: "GET",
    path: "/schedules/:name/ticks",
    scope: "read",
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
  explainTick: operation({
    id: "explainTick",
    method: "GET",
    path: "/schedules/:name/ticks/:at",
    scope: "read",
    summary: "Explain why a tick did or did not run",
    params: { ...params, at: "The instant, e.g. 2026-12-01T09:00:00Z." },
    answer: explanationSchema.describe("What became of it, and why."),
    errors,
    run: async ({ schedules }, { params: { name, at } }) =>
      await schedules.explain(name, Date.parse(parseInput(instantSchema, at))),
  }),
  runSchedule: operation({
    id: "runSchedule",
    method: "POST",
    path: "/schedules/:name/run",
    scope: "operate",
    summary: "Run a schedule's job now",
    description:
      "This does not change its ticks. With an `Idempotency-Key` header the request is safe to send again.",
    params,
    isKeyed: true,
    answer: { text: "It was accepted before.", schema: receipt },
    accepted: { text: "The job is accepted.", schema: receipt },
    isAccepted: (answered) => receiptStatus(answered) === 202,
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
  pauseSchedule: operation({
    id: "pauseSchedule",
    method: "POST",
    path: "/schedules/:name/pause",
    scope: "operate",
    summary: "Pause a schedule",
    description:
      "Its ticks are skipped until it is resumed, and not caught up then. Jobs of earlier ticks go on.",
    params,
    input: pauseReason("the warehouse is being moved"),
    answer: scheduleStatusSchema.describe("It is paused."),
    errors,
    run: ({ schedules }, { params: { name }, input: { reason }, by }) =>
      schedules.pause(name, { reason, by }),
  }),
  resumeSchedule: operation({
    id: "resumeSchedule",
    method: "POST",
    path: "/schedules/:name/resume",
    scope: "operate",
    summary: "Resume a schedule",
    params,
    answer: scheduleStatusSchema.describe("It is not paused."),
    errors,
    run: ({ schedules }, { params: { name }, by }) => schedules.resume(name, { by }),
  }),
};
