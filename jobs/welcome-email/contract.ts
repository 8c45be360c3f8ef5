import { defineJob } from "holdfast";
import { z } from "zod";

export const welcomeEmail = defineJob({
  type: "welcome-email",
  payload: z.strictObject({
    email: z.email(),
    name: z.string().min(1).max(200),
    message: z.string().max(10_000),
  }),
  result: z.strictObject({ messageId: z.string() }),
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 2_000 } },
  timeoutMs: 30_000,
});
