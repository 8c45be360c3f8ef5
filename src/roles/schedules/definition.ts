import { z } from "zod";
import type { Application } from "../../core/job/application.ts";
import { keyFault } from "../../core/job/idempotency-key.ts";
import { REDACTED, replaceAt, stepsOf } from "../../core/job/redaction.ts";
import type { ProducibleJob } from "../../core/job/submit-options.ts";
import type { Validate } from "../../core/submit/validate.ts";
import type { ErrorCode } from "../../platform/errors/error-codes.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { parseInput } from "../../platform/lib/parse-json.ts";
import { windowFault } from "./check-schedules.ts";
import {
  catchUpModes,
  overlaps,
  type Schedule,
  type ScheduledJob,
  type ScheduleTimes,
  withTimes,
} from "./define-schedule.ts";
import { tickSubmission } from "./run-schedule.ts";

const LONGEST_MS = 366 * 24 * 60 * 60 * 1000;

const instant = (description: string) =>
  z.iso
    .datetime({ offset: true })
    // Later ticks could not be written as four digits and a date.
    .refine((text) => text < "9000", "expected an instant before the year 9000")
    .optional()
    .meta({ description, examples: ["2026-12-01T00:00:00Z"] });

/** A schedule that is put at run time: JSON, so its payload is the same for each tick. */
export const scheduleDefinitionSchema = z
  .strictObject({
    cron: z
      .string()
      .max(200)
      .optional()
      .meta({
        description: "Five fields: minute, hour, day of month, month, day of week. With `timeZone`.",
        examples: ["0 9 * * 1-5"],
      }),
    timeZone: z
      .string()
      .max(64)
      .optional()
      .meta({ description: "A name of the IANA database.", examples: ["Europe/Berlin"] }),
    everyMs: z.number().int().max(LONGEST_MS).optional().meta({
      description:
        "Milliseconds between two ticks, 1,000 to a year, counted from 1970. In place of `cron` and `timeZone`.",
    }),
    type: z.string().meta({ description: "The job's type.", examples: ["daily-digest"] }),
    payload: z.unknown().meta({ description: "Of each tick's job, checked now and at each tick." }),
    catchUp: z
      .strictObject({
        mode: z.enum(catchUpModes),
        max: z.number().optional(),
        windowMs: z.number().optional(),
      })
      .optional()
      .meta({
        description: "What happens to ticks that no scheduler was there for. Without it they are skipped.",
      }),
    overlap: z.enum(overlaps).optional().meta({
      description:
        "What happens to a tick while the job of an earlier one has not ended; `allow` without it.",
    }),
    startsAt: instant("The first instant at which there can be a tick."),
    endsAt: instant("From this instant on there is no tick."),
  })
  .refine(
    ({ cron, timeZone, everyMs }) =>
      everyMs === undefined ? cron !== undefined && timeZone !== undefined : (cron ?? timeZone) === undefined,
    "expected cron and timeZone, or everyMs",
  )
  .refine(({ startsAt = "", endsAt = "" }) => !(Date.parse(endsAt) <= Date.parse(startsAt)), {
    path: ["endsAt"],
    message: "expected an instant after startsAt",
  })
  .meta({
    examples: [
      {
        cron: "0 7 * * *",
        timeZone: "Europe/Berlin",
        type: "daily-digest",
        payload: { from: "2026-11-23T00:00:00Z", to: "2026-11-24T00:00:00Z" },
      },
    ],
  });
export type RuntimeScheduleDefinition = Readonly<z.input<typeof scheduleDefinitionSchema>>;

/** The same with the contract of its job, in place of the job's type. */
interface ContractScheduleDefinition<PayloadIn> extends Omit<RuntimeScheduleDefinition, "type" | "payload"> {
  readonly job: ProducibleJob<PayloadIn>;
  readonly type?: never;
  readonly payload: NoInfer<PayloadIn>;
}

/** A schedule to put: of a contract (`job`), or of the name of a job's type (`type`). */
export type PutScheduleDefinition<PayloadIn> =
  | ContractScheduleDefinition<PayloadIn>
  | (RuntimeScheduleDefinition & { readonly job?: never });

/**
 * The form that is stored. Untyped code may give anything: what is left is checked by `checkDefinition`.
 *
 * @throws HoldfastError `INVALID_REQUEST` unless there is either a job or a type
 */
export function storedForm(definition: PutScheduleDefinition<unknown>): RuntimeScheduleDefinition {
  const { job, type, ...rest }: PutScheduleDefinition<unknown> = Object(definition);
  if (job !== undefined && type !== undefined) throw invalid("/job", "expected either job or type, got both");
  const name: unknown = job === undefined ? type : Object(job).type;
  if (name === undefined) throw invalid("/job", "expected a job's contract, or the name of its type as type");
  return { ...rest, type: name as string };
}

/** What a definition is checked with. */
export interface DefinitionChecks {
  readonly application: Application;
  readonly validate: Validate;
  readonly retentionMs: number;
}

/**
 * Checks a definition as its ticks will be checked.
 *
 * @returns it, without anything else
 * @throws HoldfastError `INVALID_REQUEST`, `UNKNOWN_JOB_TYPE`, `INVALID_PAYLOAD`
 */
export function checkDefinition(
  name: string,
  input: unknown,
  { application, validate, retentionMs }: DefinitionChecks,
): RuntimeScheduleDefinition {
  const definition = parseInput(scheduleDefinitionSchema, input);
  const contract = scheduledJob(application, definition.type);
  const schedule = requested(name, definition, contract);
  const tooLong = windowFault(schedule, retentionMs);
  if (tooLong !== undefined) throw invalid("/catchUp/windowMs", tooLong);
  refuseRedacted(definition.payload, contract.redact.payload);
  validate(application, tickSubmission(schedule, 0), keyFault);
  return definition;
}

/** What people read of a payload must not take the place of its secrets. */
function refuseRedacted(payload: unknown, pointers: readonly string[]): void {
  for (const pointer of pointers)
    replaceAt(payload, stepsOf(pointer), (value) => {
      if (value !== REDACTED) return value;
      const [known] = `/payload${pointer}`.split("/*");
      throw invalid(
        known ?? "",
        `expected the secret, got "${REDACTED}", which stands for it`,
        "INVALID_PAYLOAD",
      );
    });
}

/** A fault that is the application's in its code is the request's here. */
function requested(...of: Parameters<typeof scheduleOf>): Schedule {
  try {
    return scheduleOf(...of);
  } catch (error) {
    const [issue] = error instanceof HoldfastError ? error.issues : [];
    throw issue === undefined ? error : invalid(issue.pointer, issue.message);
  }
}

/** @throws HoldfastError `APPLICATION_INVALID` */
export function scheduleOf(name: string, definition: RuntimeScheduleDefinition, job: ScheduledJob): Schedule {
  const { type: _, payload, startsAt, endsAt, ...rest } = definition;
  const bounds = {
    ...(startsAt !== undefined && { startAt: new Date(startsAt) }),
    ...(endsAt !== undefined && { endAt: new Date(endsAt) }),
  };
  const times: object = { name, ...rest, ...bounds };
  return { ...withTimes(times as ScheduleTimes), job, payload: () => payload };
}

/** The job of any type. One that this process does not know has no jobs here: whoever checks the submission says so. */
export function scheduledJob({ jobs, queues }: Application, type: string): ScheduledJob {
  const unknown = {
    type,
    queue: queues[0] ?? "default",
    formerQueues: [],
    redact: { payload: [], result: [] },
  };
  return jobs.get(type) ?? unknown;
}

function invalid(pointer: string, message: string, code: ErrorCode = "INVALID_REQUEST"): HoldfastError {
  return new HoldfastError(code, `${pointer || "/"}: ${message}`, {
    issues: [{ pointer, message }],
  });
}
