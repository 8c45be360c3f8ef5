import { z } from "zod";

/** Of pauses and resumptions of queues. */
export const expectPause = z
  .strictObject({
    pausedSince: z.iso.datetime().nullable().meta({ description: "Null: not paused." }),
  })
  .optional()
  .meta({
    description:
      "The pause as you have seen it. If that has changed, nothing is done: 409 `CHANGED_MEANWHILE`.",
  });

export const pauseReason = (example: string) =>
  z
    .strictObject({
      reason: z.string().trim().min(1).max(500).meta({ description: "Shown while it is paused." }),
    })
    .meta({ examples: [{ reason: example }] });
