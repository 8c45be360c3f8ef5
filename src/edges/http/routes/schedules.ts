import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { Application } from "../../../core/job/define-config.ts";
import type { Schedule } from "../../../features/schedules/define-schedule.ts";
import {
  describeExplanation,
  explainTick,
  openScheduleReader,
  readPastTicks,
  readSchedule,
} from "../../../features/schedules/read-schedule.ts";
import { runNow } from "../../../features/schedules/run-now.ts";
import { pastTickSchema, scheduleStatusSchema } from "../../../features/schedules/schedule-status.ts";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { inTime } from "../../../platform/redis/redis-errors.ts";
import { answer, component } from "../body/component.ts";
import { parseInput } from "../body/parse-input.ts";
import { problemResponses } from "../body/problem.ts";
import { readKeyHeader } from "../body/request-headers.ts";
import { receiptBody, receiptSchema, receiptStatus } from "../body/submission-body.ts";
import { callerOf } from "../guard/access.ts";
import type { ApiParts } from "../parts.ts";

const count = (max: number, fallback: number, description: string) =>
  z.coerce.number().int().min(1).max(max).default(fallback).meta({ description });
const listQuerySchema = z.strictObject({ next: count(100, 5, "How many future ticks to list.") });
const ticksQuerySchema = z.strictObject({ limit: count(500, 48, "How many ticks at most.") });
const instantSchema = z.iso.datetime({ offset: true });
const explanationSchema = z
  .object({ kind: z.string(), text: z.string().meta({ description: "The explanation as a sentence." }) })
  .loose();

const nameParam = {
  type: "object",
  properties: { name: { type: "string", description: "The schedule's name." } },
};

const listSchedulesSchema = {
  operationId: "listSchedules",
  summary: "List schedules",
  description: "Each schedule's next ticks, and the job of its last one.",
  tags: ["operate"],
  querystring: z.toJSONSchema(listQuerySchema, { io: "input" }),
  response: {
    200: z.toJSONSchema(z.object({ schedules: z.array(scheduleStatusSchema) })),
    ...problemResponses("INVALID_REQUEST", "STORE_UNAVAILABLE"),
  },
};

const listTicksSchema = {
  operationId: "listTicks",
  summary: "List what became of a schedule's ticks",
  tags: ["operate"],
  params: nameParam,
  querystring: z.toJSONSchema(ticksQuerySchema, { io: "input" }),
  response: {
    200: {
      ...z.toJSONSchema(z.object({ ticks: z.array(pastTickSchema) })),
      description: "Past ticks, newest first.",
    },
    ...problemResponses("INVALID_REQUEST", "SCHEDULE_NOT_FOUND", "STORE_UNAVAILABLE"),
  },
};

const explainTickSchema = {
  operationId: "explainTick",
  summary: "Explain why a tick did or did not run",
  tags: ["operate"],
  params: {
    type: "object",
    properties: {
      ...nameParam.properties,
      at: { type: "string", description: "The instant, e.g. 2026-12-01T09:00:00Z." },
    },
  },
  response: {
    200: { ...z.toJSONSchema(explanationSchema), description: "What became of it, and why." },
    ...problemResponses("INVALID_REQUEST", "SCHEDULE_NOT_FOUND", "STORE_UNAVAILABLE"),
  },
};

const runScheduleSchema = {
  operationId: "runSchedule",
  summary: "Run a schedule's job now",
  description:
    "This does not change its ticks. With an `Idempotency-Key` header the request is safe to send again.",
  tags: ["operate"],
  params: nameParam,
  headers: { type: "object", properties: { "Idempotency-Key": { type: "string" } } },
  response: {
    202: answer("The job is accepted.", component("Receipt", receiptSchema)),
    200: answer("It was accepted before.", component("Receipt", receiptSchema)),
    ...problemResponses(
      "IDEMPOTENCY_KEY_INVALID",
      "SCHEDULE_NOT_FOUND",
      "IDEMPOTENCY_KEY_REUSED",
      "STORE_UNAVAILABLE",
      "STORE_FULL",
    ),
  },
};

const pauseSchema = z
  .strictObject({
    reason: z.string().trim().min(1).max(500).meta({ description: "Shown while it is paused." }),
  })
  .meta({ examples: [{ reason: "the warehouse is being moved" }] });

const scheduleAnswer = (description: string) => ({
  200: { ...z.toJSONSchema(scheduleStatusSchema), description },
  ...problemResponses("INVALID_REQUEST", "SCHEDULE_NOT_FOUND", "STORE_UNAVAILABLE"),
});

const pauseScheduleSchema = {
  operationId: "pauseSchedule",
  summary: "Pause a schedule",
  description:
    "Its ticks are skipped until it is resumed, and not caught up then. Jobs of earlier ticks go on.",
  tags: ["operate"],
  params: nameParam,
  body: z.toJSONSchema(pauseSchema, { io: "input" }),
  response: scheduleAnswer("It is paused."),
};

const resumeScheduleSchema = {
  operationId: "resumeSchedule",
  summary: "Resume a schedule",
  tags: ["operate"],
  params: nameParam,
  response: scheduleAnswer("It is not paused."),
};

/** `/schedules`: what will run, what became of each tick, and a run out of turn. */
export function addScheduleRoutes(server: FastifyInstance, parts: ApiParts): void {
  const { application, stores, settings, submitter, operator } = parts;
  const reader = openScheduleReader(stores, settings);
  server.get("/schedules", { config: { scope: "read" }, schema: listSchedulesSchema }, async ({ query }) => {
    const { next } = parseInput(listQuerySchema, query);
    const schedules = application.schedules.map((schedule) => readSchedule(reader, schedule, next));
    return { schedules: await inTime(Promise.all(schedules)) };
  });
  server.get<{ Params: { name: string } }>(
    "/schedules/:name/ticks",
    { config: { scope: "read" }, schema: listTicksSchema },
    async ({ params, query }) => {
      const { limit } = parseInput(ticksQuerySchema, query);
      const ticks = readPastTicks(reader, scheduleOf(application, params.name), limit);
      return { ticks: await inTime(ticks) };
    },
  );
  server.get<{ Params: { name: string; at: string } }>(
    "/schedules/:name/ticks/:at",
    { config: { scope: "read" }, schema: explainTickSchema },
    async ({ params: { name, at } }) => {
      const instant = Date.parse(parseInput(instantSchema, at));
      const explanation = await inTime(explainTick(reader, scheduleOf(application, name), instant));
      return { ...explanation, text: describeExplanation(explanation) };
    },
  );
  server.post<{ Params: { name: string } }>(
    "/schedules/:name/run",
    { config: { scope: "operate" }, schema: runScheduleSchema },
    async (request, reply) => {
      const schedule = scheduleOf(application, request.params.name);
      const requestKey = readKeyHeader(request.raw);
      const run = operator.schedules.recordRun(schedule.name, { by: callerOf(request) }, () =>
        runNow(submitter, schedule, requestKey),
      );
      const receipt = await inTime(run);
      return reply.code(receiptStatus(receipt)).send(receiptBody(receipt));
    },
  );
  server.post<{ Params: { name: string } }>(
    "/schedules/:name/pause",
    { config: { scope: "operate" }, schema: pauseScheduleSchema },
    async (request) => {
      const { reason } = parseInput(pauseSchema, request.body);
      return await operator.schedules.pause(request.params.name, { reason, by: callerOf(request) });
    },
  );
  server.post<{ Params: { name: string } }>(
    "/schedules/:name/resume",
    { config: { scope: "operate" }, schema: resumeScheduleSchema },
    async (request) => await operator.schedules.resume(request.params.name, { by: callerOf(request) }),
  );
}

function scheduleOf({ schedules }: Application, name: string): Schedule {
  const schedule = schedules.find((candidate) => candidate.name === name);
  if (schedule === undefined) throw new HoldfastError("SCHEDULE_NOT_FOUND", "No schedule has this name");
  return schedule;
}
