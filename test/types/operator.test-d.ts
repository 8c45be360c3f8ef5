/** Compiled, not run: each line under a `@ts-expect-error` must be a compile error, and no other may be. */
import { defineJob, type Operator } from "holdfast";
import { z } from "zod";

declare const operator: Operator;

const report = defineJob({
  type: "report",
  payload: z.strictObject({ tenant: z.string(), copies: z.number().default(1) }),
  result: z.unknown(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 1_000,
});
const { schedules } = operator;
const daily = { cron: "0 7 * * *", timeZone: "Europe/Berlin" };
const payload = { tenant: "acme" };

schedules.put("acme", { ...daily, job: report, payload }).then(({ stored }) => {
  stored?.version.toFixed();
});
schedules.put("acme", {
  everyMs: 60_000,
  job: report,
  payload,
  overlap: "skip",
  catchUp: { mode: "latest" },
});
schedules.put("acme", { ...daily, type: "report", payload });
// By name, nothing is known of the payload.
schedules.put("acme", { ...daily, type: "report", payload: 1 });
// @ts-expect-error the payload's member is missing
schedules.put("acme", { ...daily, job: report, payload: {} });
// @ts-expect-error the payload's member has the wrong type
schedules.put("acme", { ...daily, job: report, payload: { tenant: 5 } });
// @ts-expect-error a job and a type
schedules.put("acme", { ...daily, job: report, type: "report", payload });
// @ts-expect-error neither a job nor a type
schedules.put("acme", { ...daily, payload });
// @ts-expect-error a contract, not its name
schedules.put("acme", { ...daily, job: "report", payload });
// @ts-expect-error no such member
schedules.put("acme", { ...daily, job: report, payload, jitterMs: 5 });
