/** Compiled, not run: each line under a `@ts-expect-error` must be a compile error, and no other may be. */
import { defineJob, type JobStatus, type Producer, type Receipt } from "holdfast";
import { createClient } from "holdfast/client";
import { z } from "zod";

const common = {
  result: z.unknown(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 1_000,
} as const;
const report = defineJob({
  ...common,
  type: "report",
  payload: z.strictObject({ month: z.string(), copies: z.number().default(1) }),
});
const mail = defineJob({ ...common, type: "mail", payload: z.strictObject({ to: z.string() }) });

const url = "https://jobs.example.com";
const client = createClient<typeof report | typeof mail>({ url });
const options = { idempotencyKey: "k" };

export const receipt: Promise<Receipt> = client.submit("report", { month: "May" }, options);
export const status: Promise<JobStatus | undefined> = client.status("id");
export const producerLike: Pick<Producer, "submit" | "submitMany" | "status"> = client;

client.submit("mail", { to: "a@example.com" }, { ...options, delayMs: 5, signal: AbortSignal.abort() });
client.submit(report, { month: "May", copies: 2 }, { ...options, runAt: new Date() });
client.submitMany("mail", [{ payload: { to: "a@example.com" }, ...options }]);
// @ts-expect-error the payload is that of another type
client.submit("report", { to: "a@example.com" }, options);
// @ts-expect-error a member of the payload is unknown
client.submit("mail", { to: "a@example.com", cc: "b@example.com" }, options);
// @ts-expect-error no such type
client.submit("reports", { month: "May" }, options);
// @ts-expect-error without a key a lost answer would mean a second job
client.submit("report", { month: "May" }, {});
// @ts-expect-error one of many has the wrong payload
client.submitMany("mail", [{ payload: { to: 1 }, ...options }]);
// @ts-expect-error not the payload of this contract
client.submit(report, { to: "a@example.com" }, options);

const one = createClient<typeof report>({ url });
// @ts-expect-error not among the contracts
one.submit("mail", { to: "a@example.com" }, options);

const untyped = createClient({ url, key: "secret" });
untyped.submit("anything", { goes: true }, options);
// @ts-expect-error still without a key
untyped.submit("anything", { goes: true }, {});

client.status(report, "id").then((found) => found?.result satisfies unknown);
