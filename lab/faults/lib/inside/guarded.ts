import { AsyncLocalStorage } from "node:async_hooks";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createGuard, defineEffect, type EffectCall, HoldfastError } from "holdfast/guard";
import type { onFailpoint } from "../../../../src/core/failpoints.ts";
import type { GuardPlan } from "./guard-plan.ts";
import { arm, isClaimed, pass } from "./injection.ts";
import { live } from "./live.ts";
import { patiently } from "./patiently.ts";
import { openTrace, trace } from "./trace.ts";

/** A process that calls one guarded effect for every key of the plan, again and again, beside others that do the same. */

const plan: GuardPlan = JSON.parse(readFileSync(join(process.env.LAB_DIR ?? "", "plan.json"), "utf8"));
const effect = defineEffect({ name: "act", timeoutMs: plan.timeoutMs, inDoubt: "hold" });
const keyNow = new AsyncLocalStorage<string>();
const LANES = 2;
/** Most keys have their answer after the first pass. */
const BETWEEN_PASSES_MS = 250;

/** @param isLater whether the key's fault has been */
async function act(key: string, isLater: boolean, call: EffectCall): Promise<{ fence: number }> {
  await pass("effect:begun", key);
  if (isLater && plan.keys[key]?.outlastsFirst) await untilFirstIsUp(key, call.signal);
  const body = JSON.stringify({ key: call.key, job: key, fence: call.fence, life: process.env.LAB_LIFE });
  const answer = await fetch(process.env.LAB_WITNESS ?? "", { method: "POST", body });
  await answer.text();
  await pass("effect:recorded", key);
  return { fence: call.fence };
}

/** The laboratory says so once the first run has gone on: whether it acts or gives up, it does so before this one. */
async function untilFirstIsUp(key: string, signal: AbortSignal): Promise<void> {
  while (!isClaimed(`up-${key}`)) await sleep(10, undefined, { signal });
}

async function run(): Promise<void> {
  const guard = await patiently(() => createGuard({ effects: [effect] }));
  const callOnce = async (key: string) => {
    const isLater = isClaimed(key);
    arm(key, plan.keys[key]?.inject);
    const answer = await guard
      .once(effect, { key, content: { key } }, (call) =>
        act(key, isLater, call).finally(() => trace("effect:over", key, "-")),
      )
      .then(
        (result) => `done:${(result as { readonly fence: number } | null)?.fence ?? "resolved"}`,
        (error: unknown) => (error instanceof HoldfastError ? error.code : "OTHER"),
      );
    trace("ended", key, answer);
  };
  for (;;) {
    const keys = Object.keys(plan.keys).values();
    const lane = async () => {
      for (const key of keys) await keyNow.run(key, () => callOnce(key));
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    await sleep(BETWEEN_PASSES_MS);
  }
}

openTrace();
// The hook is not public, so import it from the build by its path.
const hooks: { onFailpoint: typeof onFailpoint } = await import(
  new URL("../dist/core/failpoints.js", import.meta.url).href
);
hooks.onFailpoint((point) => pass(point, keyNow.getStore() ?? "-"));
await live(async () => {
  run().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
    process.exit(1);
  });
  return { stop: async () => {} };
});
