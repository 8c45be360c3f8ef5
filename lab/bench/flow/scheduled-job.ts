import { defineConfig, defineJob } from "holdfast";
import { z } from "zod";

/** What schedules that are put submit here. */
export const scheduledApplication = defineConfig({
  jobs: [
    defineJob({
      type: "digest",
      payload: z.strictObject({ tenant: z.string() }),
      result: z.null(),
      retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
      timeoutMs: 10_000,
    }),
  ],
});
