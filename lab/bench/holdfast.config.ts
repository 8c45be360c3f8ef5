import { defineConfig, defineJob } from "holdfast";
import { http } from "holdfast/evidence";
import { welcomeEmail } from "../../jobs/welcome-email/contract.ts";
import { REFUSED_RETRY } from "./lib/inside/contestant.ts";
import { postEmail } from "./lib/inside/post-email.ts";
import { reportStart } from "./lib/inside/report-start.ts";

const { payload, result, retry, timeoutMs } = welcomeEmail;
const posting = { timeoutMs: 15_000, inDoubt: "hold", classify: http } as const;

/** The same job without an effect. */
export const plainEmail = defineJob({ type: "plain-email", payload, result, retry, timeoutMs });

/** The same with an effect that sends a request. */
export const postedEmail = defineJob({
  type: "posted-email",
  payload,
  result,
  retry,
  timeoutMs,
  effects: { send: posting },
});

/** The same, whose provider refuses a third of the requests. */
export const refusedEmail = defineJob({
  type: "refused-email",
  payload,
  result,
  retry: { attempts: REFUSED_RETRY.attempts, backoff: { kind: "fixed", delayMs: REFUSED_RETRY.delayMs } },
  timeoutMs,
  effects: { send: posting },
});

/** The same, reporting when it starts. */
export const timedEmail = defineJob({ type: "timed-email", payload, result, retry, timeoutMs });

const sent = ({ idempotencyKey }: { readonly idempotencyKey: string }) => ({ messageId: idempotencyKey });

/** The benchmarked application: the welcome email's contract, with handlers that do nothing. */
export default defineConfig({
  jobs: [welcomeEmail, plainEmail, postedEmail, refusedEmail, timedEmail],
  handlers: async () => [
    welcomeEmail.handler((attempt) =>
      attempt.effect("send", async () => sent(attempt), { assumedResult: () => sent(attempt) }),
    ),
    postedEmail.handler((attempt) =>
      attempt.effect(
        "send",
        async () => {
          await postEmail();
          return sent(attempt);
        },
        { assumedResult: () => sent(attempt) },
      ),
    ),
    refusedEmail.handler((attempt) =>
      attempt.effect(
        "send",
        async () => {
          await postEmail("/refusing");
          return sent(attempt);
        },
        { assumedResult: () => sent(attempt) },
      ),
    ),
    plainEmail.handler(async (attempt) => sent(attempt)),
    timedEmail.handler(async (attempt) => {
      reportStart();
      return sent(attempt);
    }),
  ],
});
