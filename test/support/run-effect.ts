import { defineJob } from "holdfast";
import { runHandler } from "holdfast/testing";
import { z } from "zod";
import type { EffectDeclaration } from "../../src/core/job/effect.ts";

/** Runs an effect in a job of its own. @returns how it ended, and what spoke against a classifier's "not done" */
export async function runEffect(act: () => Promise<unknown>, declaration: Partial<EffectDeclaration>) {
  const job = defineJob({
    type: "charge",
    payload: z.unknown(),
    result: z.unknown(),
    retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 0 } },
    timeoutMs: 20_000,
    effects: { act: { timeoutMs: 10_000, inDoubt: "hold", ...declaration } as EffectDeclaration },
  });
  const handler = job.handler(async ({ effect }) => await effect("act", act));
  const { effects, logs } = await runHandler(handler, null);
  const warned = logs.find(({ message }) => message === "effect in doubt")?.fields;
  return { state: effects[0]?.state, because: warned?.because as string | undefined };
}
