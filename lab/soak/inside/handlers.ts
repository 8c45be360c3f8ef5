import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { PermanentError } from "holdfast";
import { acting, beat, broken, flaky, plain, refused, slow } from "./contracts.ts";

/** The effect: appends the job's idempotency key to a file that is read at the end of the run. */
function write(idempotencyKey: string): Promise<void> {
  appendFileSync(process.env.SOAK_WITNESS ?? "", `${idempotencyKey}\n`);
  return Promise.resolve();
}

const STEPS = 5;
const STEP_MS = 100;

export const handlers = [
  plain.handler(async ({ attempt }) => ({ attempts: attempt })),
  acting.handler(async ({ attempt, effect, idempotencyKey }) => {
    await effect("write", () => write(idempotencyKey));
    return { attempts: attempt };
  }),
  flaky.handler(async ({ attempt, effect, idempotencyKey }) => {
    await effect("write", () => write(idempotencyKey));
    if (attempt === 1) throw new Error("fails once, after its effect");
    return { attempts: attempt };
  }),
  slow.handler(async ({ attempt, progress, log, signal }) => {
    for (let step = 1; step <= STEPS; step += 1) {
      await sleep(STEP_MS, undefined, { signal });
      await progress({ step });
    }
    log.info("half a second later");
    return { attempts: attempt };
  }),
  broken.handler(async () => {
    throw new Error("fails each time");
  }),
  refused.handler(async () => {
    throw new PermanentError("fails for good");
  }),
  beat.handler(async ({ attempt, effect, idempotencyKey }) => {
    await effect("write", () => write(idempotencyKey));
    return { attempts: attempt };
  }),
];
