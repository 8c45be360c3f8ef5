import { defineJob } from "holdfast";
import { smtp } from "holdfast/evidence";
import * as v from "valibot";

export const welcome = defineJob({
  type: "welcome",
  payload: v.object({ email: v.pipe(v.string(), v.email()), name: v.pipe(v.string(), v.minLength(1)) }),
  result: v.object({ messageId: v.string() }),
  retry: { attempts: 3, backoff: { kind: "exponential", delayMs: 1_000, jitter: 0.2 } },
  timeoutMs: 30_000,
  effects: { send: { timeoutMs: 10_000, inDoubt: "hold", classify: smtp } },
});
