import { z } from "zod";
import { jobStates } from "../../core/job/job-state.ts";
import { catchUpModes, overlaps } from "./define-schedule.ts";

const instant = z.iso.datetime();

/** A tick that was due, and its job. */
export const pastTickSchema = z.object({
  at: instant,
  jobId: z.string().nullable().meta({ description: "Null when the tick was not enqueued." }),
  isBeforeFirst: z.boolean().meta({
    description:
      "No tick up to this one has a job, as far as is known: the schedule may be younger, or Redis may have forgotten.",
  }),
  isMissed: z.boolean().meta({
    description: "It was due, nothing kept it from running, and no scheduler enqueued it.",
  }),
  state: z.enum(jobStates).nullable().meta({ description: "Null when there is no job, or no longer." }),
  overlap: z
    .string()
    .nullable()
    .meta({ description: "Which job made it skip or wait, as a sentence; null when none did." }),
});
export type PastTick = Readonly<z.output<typeof pastTickSchema>>;

/** A schedule with its next and last ticks, which are computed from keys and jobs. */
export const scheduleStatusSchema = z.object({
  name: z.string(),
  when: z.string(),
  timeZone: z.string(),
  jobType: z.string(),
  catchUp: z.enum(catchUpModes),
  overlap: z.enum(overlaps),
  schedulers: z
    .int()
    .meta({ description: "How many schedulers run. Without one, its next ticks are not enqueued." }),
  next: z.array(instant).meta({ description: "The next ticks, the earliest first." }),
  paused: z
    .object({
      reason: z.string(),
      by: z.string(),
      since: instant,
      until: instant.nullable().meta({ description: "When it ends by itself; null if it does not." }),
    })
    .nullable()
    .meta({ description: "By whom and why; null if it is not paused." }),
  skips: z.array(z.object({ at: instant, reason: z.string(), by: z.string() })).meta({
    description: "Ticks that are not due yet and will be skipped, the earliest first. `next` has them, too.",
  }),
  stored: z.object({ version: z.int(), since: instant }).nullable().meta({
    description:
      "The version in force, and since when, of a schedule that was put at run time; null for one that the application declares.",
  }),
  last: pastTickSchema.nullable().meta({ description: "The latest tick that was due." }),
  past: z.array(pastTickSchema).meta({
    description: "The ticks that were due, the latest first: as many as were asked for.",
  }),
});
export type ScheduleStatus = Readonly<z.output<typeof scheduleStatusSchema>>;

/** Why a tick did or did not run. */
export type TickExplanation =
  | { readonly kind: "not-a-tick"; readonly previous: string | null; readonly next: string | null }
  | { readonly kind: "not-due"; readonly inMs: number }
  | {
      readonly kind: "enqueued" | "caught-up";
      readonly jobId: string;
      readonly state: string | null;
      readonly lateMs: number;
    }
  | { readonly kind: "forgotten" | "before-first" | "skipped" | "awaited"; readonly why: string };
