/** Compiled, not run: each line under a `@ts-expect-error` must be a compile error, and no other may be. */
import { defineJob } from "holdfast";
import { type Classify, combine, http, sql, stripe } from "holdfast/evidence";
import { z } from "zod";

const job = {
  type: "job",
  payload: z.unknown(),
  result: z.unknown(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 1_000,
} as const;
const effect = { timeoutMs: 1_000, inDoubt: "hold" } as const;

defineJob({ ...job, effects: { charge: { ...effect, classify: stripe } } });
defineJob({ ...job, effects: { charge: { ...effect, classify: combine(stripe, http) } } });
defineJob({
  ...job,
  effects: { charge: { ...effect, classify: (error) => (error === 5 ? "unknown" : undefined) } },
});
// @ts-expect-error a classifier, not its name
defineJob({ ...job, effects: { charge: { ...effect, classify: "stripe" } } });
// @ts-expect-error nothing proves "done" but the effect's return
defineJob({ ...job, effects: { charge: { ...effect, classify: () => "done" } } });
// @ts-expect-error a classifier answers at once
defineJob({ ...job, effects: { charge: { ...effect, classify: async () => "not-done" as const } } });
// @ts-expect-error only what is not done can be later or for good
defineJob({ ...job, effects: { charge: { ...effect, classify: () => ({ verdict: "unknown" }) } } });
// @ts-expect-error at least one
combine();
// @ts-expect-error a classifier, not what it returns
combine(stripe, "unknown");
// @ts-expect-error a classifier, not a map of them
combine({ stripe });

const job2 = defineJob({ ...job, effects: { charge: effect } });
job2.handler(async ({ effect: run }) => {
  await run("charge", async () => 1, { classify: sql });
  // @ts-expect-error what was seen is no list
  await run("charge", async () => 1, { classify: (_error, _seen: string[]) => undefined });
});
sql satisfies Classify;
