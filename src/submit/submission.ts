import { z } from "zod";
import { PRIORITY_MAX, type Timing } from "../queue/new-job.ts";

const YEAR_MS = 366 * 24 * 60 * 60 * 1000;

export const submissionOptionsSchema = z
  .strictObject({
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
      .datetime({ offset: true })
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
  })
  .refine(({ delayMs, runAt }) => delayMs === undefined || runAt === undefined, {
    path: ["runAt"],
    message: "expected either delayMs or runAt, got both",
  })
  // An invalid instant passes here: it is reported already.
  .refine(({ runAt }) => !(runAt !== undefined && Date.parse(runAt) - Date.now() > YEAR_MS), {
    path: ["runAt"],
    message: "expected an instant at most a year ahead",
  });

/** What a client sends to create one job. The payload is checked against the type's own schema. */
export const submissionSchema = z.strictObject({
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
  options: submissionOptionsSchema.optional(),
});

export type SubmissionOptions = z.output<typeof submissionOptionsSchema>;

export function timingOf(options: SubmissionOptions, now: number): Timing {
  const { delayMs = 0, runAt, priority = 0 } = options;
  return {
    delayMs: runAt === undefined ? delayMs : Math.max(0, Math.round(Date.parse(runAt) - now)),
    priority,
  };
}

/** The options as content: what means the same is written the same. */
export function canonicalOptions(options: SubmissionOptions): Readonly<Record<string, unknown>> {
  const { delayMs = 0, runAt, priority = 0 } = options;
  return {
    ...(delayMs > 0 && { delayMs }),
    ...(runAt !== undefined && { runAt: new Date(runAt).toISOString() }),
    ...(priority > 0 && { priority }),
  };
}
