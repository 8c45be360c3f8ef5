import { defineJob } from "holdfast";
import { z } from "zod";

const common = {
  payload: z.strictObject({ text: z.string() }),
  result: z.strictObject({ attempts: z.number() }),
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 200 } },
  timeoutMs: 30_000,
} as const;
const effects = { write: { timeoutMs: 10_000, inDoubt: "hold" } } as const;

export const plain = defineJob({ ...common, type: "plain" });
export const acting = defineJob({ ...common, type: "acting", effects });
/** Fails once after its effect, which the second attempt must not repeat. */
export const flaky = defineJob({ ...common, type: "flaky", effects });
/** Takes half a second, and reports progress. */
export const slow = defineJob({ ...common, type: "slow" });
/** Fails until its attempts are used up. */
export const broken = defineJob({ ...common, type: "broken" });
/** Fails permanently at its first attempt. */
export const refused = defineJob({ ...common, type: "refused" });
/** Submitted by the schedule each second. */
export const beat = defineJob({ ...common, type: "beat", effects });
