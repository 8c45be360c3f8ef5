import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { EffectCall, EffectDeclaration } from "../../src/core/job/effect.ts";
import type { Call, Calls } from "../calls/call.ts";
import { asks, clocks } from "../faults/fault.ts";
import { EFFECT_TIMEOUT_MS, effectName, type Mode } from "../lib/effect-names.ts";
import { defineConfig, defineJob } from "./holdfast.ts";

const SIGNAL_MS = 300;

const payload = z.strictObject({
  row: z.int(),
  library: z.string(),
  mode: z.enum(["as is", "as documented", "control"]),
  protocol: z.enum(["http", "https"]),
  host: z.string(),
  port: z.int(),
  timeoutMs: z.int(),
  clock: z.enum(clocks).optional(),
  isWarm: z.boolean(),
  ask: z.enum(asks).optional(),
});
type Payload = z.output<typeof payload>;

/** One job type, whose effects are all ways to use all libraries. */
function jobOf(libraries: ReadonlyMap<string, Calls>) {
  const effects: Record<string, EffectDeclaration> = {};
  for (const [library, { classify }] of libraries) {
    for (const isShort of [false, true]) {
      const declare = (mode: Mode, more: Partial<EffectDeclaration>) => {
        const timeoutMs = EFFECT_TIMEOUT_MS[isShort ? "short" : "long"];
        effects[effectName(library, mode, isShort)] = {
          timeoutMs,
          inDoubt: "hold",
          ...more,
        } as EffectDeclaration;
      };
      declare("as is", {});
      declare("as documented", classify === undefined ? {} : { classify });
      declare("control", { onError: "not-done" });
    }
  }
  return defineJob({
    type: "row",
    payload,
    result: z.strictObject({ id: z.string().nullable() }),
    retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 10 } },
    timeoutMs: 60_000,
    effects,
  });
}

/** @param reportAttempt called before each attempt calls its library */
export function applicationOf(
  libraries: ReadonlyMap<string, Calls>,
  reportAttempt: (row: number) => Promise<void>,
) {
  const job = jobOf(libraries);
  const handler = job.handler(async ({ payload, effect }) => {
    const { library, mode, clock } = payload;
    const calls = libraries.get(library);
    if (calls === undefined) throw new Error(`${library} is not loaded`);
    await reportAttempt(payload.row);
    if (payload.isWarm) await warmUp(calls, payload);
    const id = await effect(effectName(library, mode, clock === "effect"), (call) =>
      underClock(mode === "as documented" ? calls.asDocumented : calls.asIs, payload, call),
    );
    return { id: typeof id === "string" || typeof id === "number" ? String(id) : null };
  });
  return defineConfig({ jobs: [job], handlers: async () => [handler] });
}

/** In later attempts downstream may be gone already. */
async function warmUp({ warmUp }: Calls, payload: Payload): Promise<void> {
  const { protocol, host, port, timeoutMs, ask, mode } = payload;
  const target = { protocol, host, port, timeoutMs, ask, signal: undefined, key: "" };
  await warmUp?.(target, mode === "as documented").catch(() => {});
}

/** Calls the library, bounded as people bound such calls. */
function underClock(run: Call, payload: Payload, { key, signal }: EffectCall): Promise<unknown> {
  const { protocol, host, port, timeoutMs, clock, mode, ask } = payload;
  const call = (signal?: AbortSignal) => run({ protocol, host, port, timeoutMs, signal, ask, key });
  switch (clock) {
    case "AbortSignal.timeout":
      return call(AbortSignal.timeout(SIGNAL_MS));
    case "AbortSignal.any":
      return call(AbortSignal.any([signal, AbortSignal.timeout(SIGNAL_MS)]));
    case "Promise.race":
      return Promise.race([call(), tooSlow()]);
    default:
      return call(mode === "as documented" ? signal : undefined);
  }
}

async function tooSlow(): Promise<never> {
  await sleep(SIGNAL_MS);
  throw new Error("the shop is too slow");
}
