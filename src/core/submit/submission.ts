import { z } from "zod";
import { givenObject } from "../../platform/errors/given.ts";
import { isoOfDate } from "../../platform/lib/iso-time.ts";
import { PRIORITY_MAX, type Timing } from "../bullmq/add/new-job.ts";
import type { FeatureOptions, ProducibleJob, SubmitOptions } from "../job/submit-options.ts";
import type { SubmitPoints } from "./points.ts";

/** The longest delay. */
export const YEAR_MS = 366 * 24 * 60 * 60 * 1000;

const NO_DATE = "no valid Date";

/** Undefined: what the schema says. */
function dateFault({ input }: { readonly input?: unknown }): string | undefined {
  return input === NO_DATE ? "expected a valid Date" : undefined;
}

const coreOptions = {
  delayMs: z
    .number()
    .int()
    .min(0)
    .max(YEAR_MS)
    .optional()
    .meta({
      description: "Milliseconds until the job may run, at most a year. Excludes runAt.",
      examples: [0],
    }),
  runAt: z.iso
    .datetime({ offset: true, error: dateFault })
    .optional()
    .meta({
      description:
        "The instant from which the job may run, at most a year ahead; one in the past means now. Excludes delayMs.",
      examples: ["2026-12-01T09:00:00Z"],
    }),
  priority: z
    .number()
    .int()
    .min(0)
    .max(PRIORITY_MAX)
    .optional()
    .meta({
      description: `0: none, runs first. Otherwise 1 to ${PRIORITY_MAX}, the lower the sooner.`,
      examples: [0],
    }),
  startBy: z.iso
    .datetime({ offset: true, error: dateFault })
    .optional()
    .meta({
      description:
        "A job that no worker has begun by then ends failed, with EXPIRED. Excludes startWithinMs. By default what its type declares.",
      examples: ["2026-12-01T10:00:00Z"],
    }),
  startWithinMs: z
    .number()
    .int()
    .min(1)
    .max(YEAR_MS)
    .optional()
    .meta({
      description: "The same, in milliseconds from when the job may run, at most a year. Excludes startBy.",
      examples: [3_600_000],
    }),
};

/** The options of a submission, as they were sent. */
export type SubmissionOptions = z.output<z.ZodObject<typeof coreOptions>> & FeatureOptions;

/** What a submission's options may say, to the core and to features. */
function optionsSchemaOf(features: readonly SubmitPoints[]): z.ZodType<SubmissionOptions> {
  const own = features.flatMap(({ options = {} }) => Object.entries(options));
  return (
    z
      .strictObject({ ...coreOptions, ...Object.fromEntries(own) })
      .refine(({ startBy, startWithinMs }) => startBy === undefined || startWithinMs === undefined, {
        path: ["startBy"],
        message: "expected either options.startBy or options.startWithinMs, got both",
      })
      .refine(({ delayMs, runAt }) => delayMs === undefined || runAt === undefined, {
        path: ["runAt"],
        message: "expected either options.delayMs or options.runAt, got both",
      })
      // An invalid instant passes here: it is reported already.
      .refine(({ runAt }) => !(runAt !== undefined && Date.parse(runAt) - Date.now() > YEAR_MS), {
        path: ["runAt"],
        message: "expected an instant at most a year ahead",
      })
  );
}

/** What a client sends to create one job. The payload is checked against the type's own schema. */
export function submissionSchemaOf(features: readonly SubmitPoints[]) {
  return z.strictObject({
    type: z.string().meta({ description: "The job's type.", examples: ["welcome-email"] }),
    payload: z.unknown().meta({ description: "The job's input, as its type declares it." }),
    idempotencyKey: z
      .string()
      .optional()
      .meta({
        description:
          "What this request means, 1 to 255 characters: the same key of the same type never makes a second job.",
        examples: ["signup-42"],
      }),
    options: optionsSchemaOf(features).optional(),
  });
}

/** A call's arguments as a client of the API would send them. */
export interface SentSubmission {
  readonly type: string;
  readonly payload: unknown;
  readonly idempotencyKey: string | undefined;
  readonly options: Readonly<Record<string, unknown>>;
}

/** @throws HoldfastError `INVALID_REQUEST` for what is no contract, and no options */
export function submissionOf<PayloadIn>(
  job: ProducibleJob<PayloadIn>,
  payload: unknown,
  given: SubmitOptions,
): SentSubmission {
  const { type } = givenObject(job, "/job");
  const { idempotencyKey, runAt, startBy, ...options } = givenObject(given, "/options");
  return {
    type,
    payload,
    idempotencyKey,
    options: {
      ...options,
      ...(runAt !== undefined && { runAt: instantOf(runAt) }),
      ...(startBy !== undefined && { startBy: instantOf(startBy) }),
    },
  };
}

/** JavaScript can give anything: what is no valid `Date` becomes a text that the schema refuses, with its place. */
function instantOf(date: Date): string {
  return isoOfDate(date) ?? NO_DATE;
}

/** Of most submissions. */
export const NO_OPTIONS: SubmissionOptions = {};

/**
 * @param now Redis's clock
 * @param withinMs what the type declares
 */
export function timingOf(options: SubmissionOptions, now: number, withinMs: number | undefined): Timing {
  const { delayMs = 0, runAt, priority = 0, startBy, startWithinMs = withinMs } = options;
  const waitMs = runAt === undefined ? delayMs : Math.max(0, Math.round(Date.parse(runAt) - now));
  const within = startWithinMs === undefined ? undefined : Math.round(now) + waitMs + startWithinMs;
  return {
    delayMs: waitMs,
    priority,
    startBy: startBy === undefined ? within : Date.parse(startBy),
  };
}

/** The options as content: what means the same is written the same. */
export function canonicalOptions(
  features: readonly SubmitPoints[],
  options: SubmissionOptions,
): Readonly<Record<string, unknown>> {
  if (options === NO_OPTIONS) return {};
  const { delayMs = 0, runAt, priority = 0, startBy, startWithinMs } = options;
  return {
    ...Object.assign({}, ...features.map(({ contentOf }) => contentOf?.(options))),
    ...(startBy !== undefined && { startBy: new Date(startBy).toISOString() }),
    ...(startWithinMs !== undefined && { startWithinMs }),
    ...(delayMs > 0 && { delayMs }),
    ...(runAt !== undefined && { runAt: new Date(runAt).toISOString() }),
    ...(priority > 0 && { priority }),
  };
}
