import { defineJob } from "holdfast";
import { smtp } from "holdfast/evidence";
import { z } from "zod";

const example = {
  email: "anoop@example.com",
  name: "Anoop",
  message: "Congratulations! Your background job system is live.",
};

export const welcomeEmail = defineJob({
  type: "welcome-email",
  payload: z
    .strictObject({
      email: z.email(),
      name: z.string().min(1).max(200),
      message: z.string().max(10_000),
    })
    .meta({ examples: [example] }),
  result: z.strictObject({ messageId: z.string() }),
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 2_000 } },
  timeoutMs: 30_000,
  effects: { send: { timeoutMs: 15_000, inDoubt: "hold", classify: smtp } },
  requiredVariables: ["SMTP_URL"],
});
