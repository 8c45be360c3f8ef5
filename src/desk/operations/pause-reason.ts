import { z } from "zod";

export const pauseReason = (example: string) =>
  z
    .strictObject({
      reason: z.string().trim().min(1).max(500).meta({ description: "Shown while it is paused." }),
    })
    .meta({ examples: [{ reason: example }] });
