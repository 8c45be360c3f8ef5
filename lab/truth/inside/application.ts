import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { EffectCall, EffectDeclaration } from "../../../src/core/job/effect.ts";
import type { Call, Calls, Target } from "../calls/call.ts";
import { contexts, orders } from "../faults/company.ts";
import { asks, clocks } from "../faults/fault.ts";
import { EFFECT_TIMEOUT_MS, effectName, type Mode, modes } from "../lib/effect-names.ts";
import { inCompany, Joined, prepare } from "./company.ts";
import { every } from "./evidence.ts";
import { defineConfig, defineJob } from "./holdfast.ts";

const SIGNAL_MS = 300;

const place = {
  protocol: z.enum(["http", "https"]),
  host: z.string(),
  port: z.int(),
  ask: z.enum(asks).optional(),
};

const payload = z.strictObject({
  ...place,
  row: z.int(),
  library: z.string(),
  mode: z.enum(modes),
  timeoutMs: z.int(),
  clock: z.enum(clocks).optional(),
  isWarm: z.boolean(),
  /** What else the effect does, and where. */
  company: z
    .strictObject({
      ...place,
      order: z.enum(orders),
      context: z.enum(contexts),
      isOtherHandedOver: z.boolean(),
      library: z.string(),
    })
    .optional(),
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
      declare("every classifier", { classify: every });
      declare("control", { onError: "not-done" });
      declare("old rule", { classify: every });
    }
  }
  effects.inner = { timeoutMs: EFFECT_TIMEOUT_MS.long, inDoubt: "hold" };
  effects.probed = { timeoutMs: EFFECT_TIMEOUT_MS.long, inDoubt: "probe" };
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
  const callsOf = (library: string) => {
    const calls = libraries.get(library);
    if (calls === undefined) throw new Error(`${library} is not loaded`);
    return calls;
  };
  const handler = job.handler(async ({ payload, attempt, effect }) => {
    const { library, mode, clock, company } = payload;
    const calls = callsOf(library);
    await reportAttempt(payload.row);
    if (payload.isWarm) await warmUp(calls, payload);
    const joined = new Joined();
    if (company !== undefined) await prepare(company.order, attempt, effect, joined);
    const id = await effect(effectName(library, mode, clock === "effect"), (call) => {
      if (company === undefined) return underClock(callOf(calls, mode), payload, call);
      const { order, context, isOtherHandedOver, library: other, ...place } = company;
      const target = (at: Place) => ({
        ...at,
        timeoutMs: payload.timeoutMs,
        signal: undefined,
        key: call.key,
      });
      return inCompany(
        order,
        { context, isOtherHandedOver },
        {
          act: () => callOf(calls, mode)(target(placeOf(payload))),
          other: () => callOf(callsOf(other), mode)(target(placeOf(place))),
          effect,
          joined,
        },
      );
    });
    return { id: typeof id === "string" || typeof id === "number" ? String(id) : null };
  });
  return defineConfig({ jobs: [job], handlers: async () => [handler] });
}

type Place = Pick<Target, "protocol" | "host" | "port" | "ask">;

function placeOf({ protocol, host, port, ask }: Pick<Payload, "protocol" | "host" | "port" | "ask">): Place {
  return { protocol, host, port, ask };
}

function callOf({ asIs, asDocumented }: Calls, mode: Mode): Call {
  return mode === "as is" || mode === "control" ? asIs : asDocumented;
}

/** In later attempts downstream may be gone already. */
async function warmUp({ warmUp }: Calls, payload: Payload): Promise<void> {
  const { timeoutMs, mode } = payload;
  const target = { ...placeOf(payload), timeoutMs, signal: undefined, key: "" };
  await warmUp?.(target, mode === "as documented").catch(() => {});
}

/** Calls the library, bounded as people bound such calls. */
function underClock(run: Call, payload: Payload, { key, signal }: EffectCall): Promise<unknown> {
  const { timeoutMs, clock, mode } = payload;
  const call = (signal?: AbortSignal) => run({ ...placeOf(payload), timeoutMs, signal, key });
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
