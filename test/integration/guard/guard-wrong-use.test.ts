import * as guards from "holdfast/guard";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { testEnvironment } from "../../support/service.ts";

/** As plain JavaScript has it. */
type Untyped = (...args: unknown[]) => unknown;
type Untypeds<Name extends string> = Readonly<Record<Name, Untyped>>;
const { createGuard, defineEffect, guardJob, guardRoute, guardTools, toolKey, effectOf } =
  guards as unknown as Untypeds<
    "createGuard" | "defineEffect" | "guardJob" | "guardRoute" | "guardTools" | "toolKey" | "effectOf"
  >;

const env = testEnvironment();
const charge = guards.defineEffect({ name: "charge", timeoutMs: 5_000, inDoubt: "hold" });
const run = vi.fn(async () => 1);
const tools = { pay: { execute: run }, ask: {} };
const job = { id: "1", name: "order", timestamp: 1, queueName: "orders", moveToDelayed: async () => {} };
const call = { key: "order-1" };
const effects = { pay: charge };
let guard: guards.Guard;
beforeAll(async () => {
  guard = await guards.createGuard({ effects: [charge], env });
});
afterAll(() => guard.stop());

const onceOf = (of: unknown) => (of as Untypeds<"once">).once;
const payOf = (guarded: unknown) => (guarded as typeof tools).pay.execute as Untyped;

/** What is called, the code, and the place that the message says. */
type Wrong = readonly [call: () => unknown, code: guards.HoldfastError["code"], place: RegExp];

const ofGuard: readonly Wrong[] = [
  [() => createGuard(), "APPLICATION_INVALID", /^options: /],
  [() => createGuard(null), "APPLICATION_INVALID", /^options: /],
  [() => createGuard({ env }), "APPLICATION_INVALID", /^effects: /],
  [() => createGuard({ effects: charge, env }), "APPLICATION_INVALID", /^effects: /],
  [() => createGuard({ effects: [undefined], env }), "APPLICATION_INVALID", /^effects\.0: .*defineEffect/],
  [() => createGuard({ effects: [charge.declaration], env }), "APPLICATION_INVALID", /^effects\.0: /],
  [
    () => createGuard({ effects: [{ name: "pay", timeoutMs: 1 }], env }),
    "APPLICATION_INVALID",
    /^effects\.0: .*defineEffect/,
  ],
  [() => createGuard({ effects: [], env, conection: {} }), "APPLICATION_INVALID", /conection/],
  [() => createGuard({ effects: [], env: null }), "APPLICATION_INVALID", /^env: /],
  [() => createGuard({ effects: [], env, logger: "warn" }), "APPLICATION_INVALID", /^logger: /],
  [() => createGuard({ effects: [], env, connection: null }), "CONFIG_INVALID", /^connection: /],
  [() => defineEffect(), "APPLICATION_INVALID", /^defineEffect: /],
  [() => defineEffect("charge"), "APPLICATION_INVALID", /^defineEffect: /],
];

const ofCalls: readonly Wrong[] = [
  [() => onceOf(guard)(), "INVALID_REQUEST", /^\/effect: /],
  [() => onceOf(guard)("charge", call, run), "INVALID_REQUEST", /^\/effect: .* got charge$/],
  [() => onceOf(guard)(charge), "INVALID_REQUEST", /^\/: /],
  [() => onceOf(guard)(charge, "order-1", run), "INVALID_REQUEST", /^\/: /],
  [() => onceOf(guard)(charge, { key: 1 }, run), "IDEMPOTENCY_KEY_INVALID", /key: /],
  [() => onceOf(guard)(charge, { ...call, waitMs: "5" }, run), "INVALID_REQUEST", /^\/waitMs: /],
  [() => onceOf(guard)(charge, { ...call, wait: 5 }, run), "INVALID_REQUEST", /^\/wait: /],
  [() => onceOf(guard)(charge, { ...call, content: () => 1 }, run), "INVALID_REQUEST", /^\/content: /],
  [() => onceOf(guard)(charge, call), "INVALID_REQUEST", /run: /],
  [() => (guard.effectsOf as Untyped as () => Untyped)()("charge", run), "INVALID_REQUEST", /^\/: /],
];

const ofEdges: readonly Wrong[] = [
  [() => guardJob(), "USAGE", /^guardJob: guard: /],
  [() => guardJob(guard), "USAGE", /^guardJob: job: /],
  [() => guardJob(guard, {}), "USAGE", /^guardJob: job\.id: /],
  [() => guardJob(guard, { ...job, timestamp: undefined }), "USAGE", /^guardJob: job\.timestamp: /],
  [() => onceOf(guardJob(guard, job))(charge, null, run), "USAGE", /^guardJob: call: /],
  [() => guardRoute(), "USAGE", /^guardRoute: guard: /],
  [() => guardRoute(guard, undefined, call, run), "USAGE", /^guardRoute: effect: /],
  [() => guardRoute(guard, charge), "USAGE", /^guardRoute: call: /],
  [() => guardRoute(guard, charge, call), "USAGE", /^guardRoute: run: /],
  [
    () => guardRoute(guard, charge, { ...call, scope: undefined }, run),
    "USAGE",
    /^guardRoute: call\.scope: /,
  ],
  [() => guardRoute(guard, charge, { ...call, waitMs: "5" }, run), "INVALID_REQUEST", /^\/waitMs: /],
  [() => guardRoute(guard, charge, call, run, null), "INVALID_REQUEST", /options: /],
  [() => guardTools(), "USAGE", /^guardTools: guard: /],
  [() => guardTools(guard, null, { run: "r", effects }), "USAGE", /^guardTools: tools: /],
  [() => guardTools(guard, tools, null), "USAGE", /^guardTools: options: /],
  [() => guardTools(guard, tools, { run: "r" }), "USAGE", /^guardTools: options\.effects: /],
  [() => guardTools(guard, tools, { effects: { pay: undefined } }), "USAGE", /effects\.pay: /],
  [() => guardTools(guard, tools, { run: "r", effects: { pai: charge } }), "USAGE", /tools\.pai\.execute: /],
  [() => guardTools(guard, tools, { run: "r", effects: { ask: charge } }), "USAGE", /tools\.ask\.execute: /],
  [() => guardTools(guard, tools, { run: "r", effects, occurrence: 1 }), "USAGE", /options\.occurrence: /],
  [() => payOf(guardTools(guard, tools, { effects }))({}), "INVALID_REQUEST", /run: /],
  [
    () => payOf(guardTools(guard, tools, { run: "r", effects }))({}, { abortSignal: 1 }),
    "USAGE",
    /options\.abortSignal: /,
  ],
  [() => toolKey(), "USAGE", /^toolKey: call: /],
  [() => toolKey({ run: "r", input: 1 }), "USAGE", /^toolKey: tool: /],
  [() => effectOf(), "USAGE", /^effectOf: /],
];

describe("what untyped code gets wrong", () => {
  const cases = Object.entries({ ofGuard, ofCalls, ofEdges }).flatMap(([of, wrongs]) =>
    wrongs.map((wrong, at) => [`${of} ${at}: ${wrong[0].toString().slice(6)}`, ...wrong] as const),
  );
  it.each(cases)("is refused with a code and the place: %s", async (_, wrong, code, place) => {
    const refused = await (async () => await wrong())().catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(guards.HoldfastError);
    expect(refused).toMatchObject({ code, message: expect.stringMatching(place) });
  });

  it("has begun nothing, and left no doubt", async () => {
    expect(run).not.toHaveBeenCalled();
    expect(await guard.once(charge, call, run)).toBe(1);
    const pay = payOf(guardTools(guard, tools, { run: "r", effects }));
    expect(await pay({}, { abortSignal: null })).toBe(1);
  });

  it("is answered to a route's caller only where that caller can mend it", async () => {
    const answer = (wrong: object) => guardRoute(guard, charge, { key: "order-2", ...wrong }, run);
    expect(await answer({ key: 5 })).toMatchObject({
      status: 400,
      body: { code: "IDEMPOTENCY_KEY_INVALID" },
    });
    expect(await answer({ content: [() => 1] })).toMatchObject({
      status: 400,
      body: { code: "INVALID_REQUEST" },
    });
  });
});
