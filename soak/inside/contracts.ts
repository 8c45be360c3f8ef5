import { defineJob } from "holdfast";
import { z } from "zod";

const common = {
  payload: z.strictObject({ text: z.string() }),
  result: z.strictObject({ attempts: z.number() }),
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 200 } },
  timeoutMs: 30_000,
} as const;
const effects = { write: { timeoutMs: 10_000, inDoubt: "hold" } } as const;

/** Returns at once. */
export const plain = defineJob({ ...common, type: "plain" });
/** Has an effect, and is done. */
export const acting = defineJob({ ...common, type: "acting", effects });
/** Has its effect and fails after it: its second attempt must not repeat it. */
export const flaky = defineJob({ ...common, type: "flaky", effects });
/** Takes half a second, and tells how far it is. */
export const slow = defineJob({ ...common, type: "slow" });
/** Fails until its attempts are used up. */
export const broken = defineJob({ ...common, type: "broken" });
/** Fails for good at its first attempt. */
export const refused = defineJob({ ...common, type: "refused" });
/** What the schedule submits each second. */
export const beat = defineJob({ ...common, type: "beat", effects });
