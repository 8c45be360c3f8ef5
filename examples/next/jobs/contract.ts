import { defineJob } from "holdfast";
import { smtp } from "holdfast/evidence";
import { z } from "zod";

export const welcome = defineJob({
  type: "welcome",
  payload: z.object({ email: z.string().email(), name: z.string().min(1) }),
  result: z.object({ messageId: z.string() }),
  retry: { attempts: 3, backoff: { kind: "exponential", delayMs: 1_000, jitter: 0.2 } },
  timeoutMs: 30_000,
  effects: { send: { timeoutMs: 10_000, inDoubt: "hold", classify: smtp } },
});
