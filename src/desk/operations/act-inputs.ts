import { z } from "zod";

const CHANGED = "If that has changed, nothing is done: 409 `CHANGED_MEANWHILE`.";

const expected = <Shape extends z.ZodRawShape>(what: string, shape: Shape) =>
  z
    .strictObject(shape)
    .optional()
    .meta({ description: `${what} as you have seen it. ${CHANGED}` });

/** Of pauses and resumptions of queues and schedules. */
export const expectPause = expected("The pause", {
  pausedSince: z.iso
    .datetime()
    .nullable()
    .meta({ description: "Null: not paused. With `type` or `key`: since when that is paused or limited." }),
});

export const expectLimits = expected("The limit", {
  limitedSince: z.iso.datetime().nullable().meta({
    description:
      "`override.since` of the queue; with `type` or `key`: since when that is paused or limited. Null: not by hand.",
  }),
});

export const expectQuiet = expected("The worker", {
  quietSince: z.iso
    .datetime()
    .nullable()
    .meta({ description: "`quiet.since` of the overview's worker. Null: it was not quiet." }),
});

export const expectVersion = expected("The schedule", {
  version: z.int().nullable().meta({ description: "Null: there was none." }),
});

export const expectDoubt = expected("The doubt", {
  since: z.iso.datetime().meta({ description: "As the list of doubts has it." }),
  mayStillRun: z.boolean().optional().meta({
    description:
      "Likewise. If it was true and the run has ended since, it may have acted before: `not-done` is refused, unless you `confirm`.",
  }),
});

export const expectSkip = expected("The tick", { isSkipped: z.boolean() });

export const pauseReason = (example: string) =>
  z
    .strictObject({
      reason: z.string().trim().min(1).max(500).meta({ description: "Shown as long as it counts." }),
    })
    .meta({ examples: [{ reason: example }] });
