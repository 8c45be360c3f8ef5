// The jobs of examples/by-hand, as contracts of Holdfast.
import { defineJob } from "holdfast";
import { http, smtp } from "holdfast/evidence";
import { z } from "zod";

// #region contract
export const welcomeEmail = defineJob({
  type: "welcome-email",
  payload: z.strictObject({
    email: z.email(),
    name: z.string().min(1).max(200),
    message: z.string().max(10_000),
  }),
  result: z.strictObject({ result: z.string() }),
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 2_000 } },
  timeoutMs: 10_000,
  effects: { send: { timeoutMs: 2_000, inDoubt: "hold", classify: smtp } },
});
// #endregion

export const dailyDigest = defineJob({
  type: "daily-digest",
  payload: z.strictObject({ url: z.url({ protocol: /^https?$/ }), at: z.iso.datetime() }),
  result: z.strictObject({ result: z.string() }),
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 2_000 } },
  timeoutMs: 10_000,
  effects: { post: { timeoutMs: 2_000, inDoubt: "hold", classify: http } },
});
