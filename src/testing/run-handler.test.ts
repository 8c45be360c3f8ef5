import { defineJob, InDoubtError, PermanentError, RetryAfterError, SnoozeError } from "holdfast";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { runHandler } from "./run-handler.ts";

const charge = defineJob({
  type: "charge",
  payload: z.strictObject({ cents: z.int().positive(), currency: z.string().default("EUR") }),
  result: z.strictObject({ chargeId: z.string() }),
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 1_000 } },
  timeoutMs: 1_000,
  effects: {
    charge: { timeoutMs: 500, inDoubt: "hold" },
    notify: { timeoutMs: 500, inDoubt: "probe" },
    remind: { timeoutMs: 500, inDoubt: "repeat", downstreamRemembersMs: 60_000 },
  },
});

const bodies: string[] = [];

/** Charges, and says so. */
const chargeHandler = charge.handler(async ({ payload, attempt, effect, progress, log }) => {
  await progress({ step: 1 });
  log.info("charging", { cents: payload.cents, currency: payload.currency, attempt });
  const chargeId = await effect("charge", async ({ key }) => {
    bodies.push(key);
    return `charge-${payload.cents}`;
  });
  return { chargeId: chargeId ?? "unknown" };
});

describe("runHandler", () => {
  it("returns the result, the effects, the progress and the log of an attempt", async () => {
    const run = await runHandler(chargeHandler, { cents: 500 }, { attempt: 2 });

    expect(run).toEqual({
      state: "completed",
      result: { chargeId: "charge-500" },
      effects: [
        {
          name: "charge",
          index: undefined,
          key: bodies.at(-1),
          state: "done",
          ran: true,
          result: "charge-500",
        },
      ],
      submitted: [],
      progress: [{ step: 1 }],
      logs: [{ level: "info", message: "charging", fields: { cents: 500, currency: "EUR", attempt: 2 } }],
    });
  });

  it("does not run an effect that an earlier attempt did, and returns its result", async () => {
    const before = bodies.length;

    const run = await runHandler(chargeHandler, { cents: 500 }, { effects: { charge: { done: "earlier" } } });

    expect(run).toMatchObject({ result: { chargeId: "earlier" }, effects: [{ state: "done", ran: false }] });
    expect(bodies).toHaveLength(before);
  });

  it("fails an effect as its function would, and says what that proves", async () => {
    const refused = { throws: new RetryAfterError(0, "the card is declined") };
    expect(await runHandler(chargeHandler, { cents: 5 }, { effects: { charge: refused } })).toMatchObject({
      state: "delayed",
      error: { code: "HANDLER_FAILED", message: "the card is declined" },
      effects: [{ state: "not-done", ran: false }],
    });

    const cut = { throws: Object.assign(new Error("socket hang up"), { code: "ECONNRESET" }) };
    expect(await runHandler(chargeHandler, { cents: 5 }, { effects: { charge: cut } })).toMatchObject({
      state: "failed",
      error: { code: "EFFECT_IN_DOUBT" },
      effects: [{ state: "in-doubt" }],
    });
  });

  it("holds an effect in doubt, even if the handler does not ask for it", async () => {
    const effects = { charge: { inDoubt: true } } as const;
    expect(await runHandler(chargeHandler, { cents: 5 }, { effects })).toMatchObject({
      state: "failed",
      error: { code: "EFFECT_IN_DOUBT" },
      effects: [{ state: "in-doubt", ran: false, error: expect.any(InDoubtError) }],
    });

    const forgetful = charge.handler(async () => ({ chargeId: "none" }));
    expect(await runHandler(forgetful, { cents: 5 }, { effects })).toMatchObject({
      error: { code: "EFFECT_IN_DOUBT" },
      effects: [],
    });
  });

  it("asks the probe about an effect in doubt, and repeats one that may be repeated", async () => {
    const handler = charge.handler(async ({ effect }) => {
      const probe = async ({ key }: { key: string }) => ({ done: `found ${key.length}` });
      const found = await effect("notify", async () => "sent again", { index: "ann", probe });
      const repeated = await effect("remind", async () => "reminded");
      return { chargeId: `${found}, ${repeated}` };
    });

    const effects = { "notify/ann": { inDoubt: true }, remind: { inDoubt: true } } as const;
    expect(await runHandler(handler, { cents: 5 }, { effects })).toMatchObject({
      result: { chargeId: "found 22, reminded" },
      effects: [
        { name: "notify", index: "ann", ran: false },
        { name: "remind", ran: true },
      ],
    });
  });

  it.each([
    ["a payload that does not fit", chargeHandler, { cents: -1 }, "INVALID_PAYLOAD"],
    [
      "a payload that JSON cannot hold",
      chargeHandler,
      { cents: new Date() as unknown as number },
      "INVALID_PAYLOAD",
    ],
    ["a bad result", charge.handler(async () => ({ chargeId: 5 }) as never), { cents: 1 }, "RESULT_INVALID"],
    [
      "an attempt that takes too long",
      charge.handler(() => new Promise(() => {})),
      { cents: 1 },
      "ATTEMPT_TIMED_OUT",
    ],
    [
      "an undeclared effect",
      charge.handler(async ({ effect }) => ({
        chargeId: String(await effect("x" as "charge", async () => 1)),
      })),
      { cents: 1 },
      "PERMANENT_FAILURE",
    ],
  ])("refuses %s with the code of a worker", async (_, handler, payload, code) => {
    expect(await runHandler(handler, payload)).toMatchObject({ error: { code } });
  });

  it.each([
    ["no options", null, 'effect "charge": options: expected an object, got null'],
    ["options that are a text", "ann", 'effect "charge": options: expected an object, got ann'],
    ["a number as index", { index: 5 }, 'effect "charge": index: expected a string, got 5'],
    ["null as index", { index: null }, 'effect "charge": index: expected a string, got null'],
  ])("fails an untyped handler for good that gives an effect %s", async (_, options, message) => {
    const handler = charge.handler(async ({ effect }) => {
      await effect("charge", async () => 1, options as object);
      return { chargeId: "none" };
    });
    expect(await runHandler(handler, { cents: 1 })).toMatchObject({
      state: "failed",
      error: { code: "PERMANENT_FAILURE", message },
      effects: [{ state: "not-done", ran: false }],
    });
  });

  it("fails an untyped handler for good that gives no probe where its effect declares one", async () => {
    const handler = charge.handler(async ({ effect }) => {
      await effect("notify", async () => 1, {} as { probe: () => Promise<"unknown"> });
      return { chargeId: "none" };
    });
    expect(await runHandler(handler, { cents: 1 })).toMatchObject({
      error: { code: "PERMANENT_FAILURE", message: expect.stringContaining("probe: expected a function") },
    });
  });

  it("takes a probe's answer that cannot be read as unknown", async () => {
    const answer = {
      get done(): string {
        throw new Error("unreadable");
      },
    };
    const handler = charge.handler(async ({ effect }) => {
      const chargeId = await effect("notify", async () => "sent again", { probe: async () => answer });
      return { chargeId: chargeId ?? "none" };
    });
    expect(await runHandler(handler, { cents: 1 }, { effects: { notify: { inDoubt: true } } })).toMatchObject(
      {
        error: { code: "EFFECT_IN_DOUBT" },
        effects: [{ state: "in-doubt", ran: false }],
        logs: [{ level: "warn", message: "probe failed" }],
      },
    );
  });

  it("says whether there would be another attempt, and when", async () => {
    const later = charge.handler(async () => Promise.reject(new RetryAfterError(30_000)));
    expect(await runHandler(later, { cents: 1 })).toMatchObject({
      state: "delayed",
      error: { retryAfterMs: 30_000 },
    });
    expect(await runHandler(later, { cents: 1 }, { attempt: 3 })).toMatchObject({ state: "failed" });
    const never = charge.handler(async () => Promise.reject(new PermanentError("no")));
    expect(await runHandler(never, { cents: 1 })).toMatchObject({ state: "failed" });
  });

  it.each([
    [
      "at once",
      charge.handler(() => {
        throw new SnoozeError(60_000);
      }),
    ],
    ["later", charge.handler(async () => Promise.reject(new SnoozeError(60_000)))],
    [
      "in an effect",
      charge.handler(async ({ effect }) => {
        await effect("charge", async () => Promise.reject(new SnoozeError(60_000)));
        return { chargeId: "none" };
      }),
    ],
  ])(
    "says until when a handler that snoozes %s is deferred, also in its last attempt",
    async (_, handler) => {
      const run = await runHandler(handler, { cents: 1 }, { attempt: 3 });

      expect(run).toMatchObject({ state: "deferred", delayMs: 60_000, code: "SNOOZED" });
      expect([run.result, run.error]).toEqual([undefined, undefined]);
      expect(run.effects.map(({ state }) => state).filter((state) => state !== "not-done")).toEqual([]);
    },
  );

  it("fails a handler that snoozes for too long, as a worker does", async () => {
    const handler = charge.handler(async () => Promise.reject(new SnoozeError(31 * 24 * 60 * 60_000)));
    expect(await runHandler(handler, { cents: 1 })).toMatchObject({
      state: "failed",
      error: { code: "SNOOZES_EXHAUSTED" },
    });
  });

  it.each([
    [
      "attempt 0",
      { attempt: 0 },
      'attempt: expected a whole number from 1 to 3, the attempts of "charge", got 0',
    ],
    ["half an attempt", { attempt: 1.5 }, /got 1.5$/],
    ["an attempt beyond the last", { attempt: 4 }, /got 4$/],
    ["an attempt that is no number", { attempt: Number.NaN }, /got NaN$/],
    ["an empty key", { idempotencyKey: "" }, "idempotencyKey: expected at least one character"],
  ])("refuses %s", async (_, options, message) => {
    const refused = runHandler(chargeHandler, { cents: 1 }, options);
    await expect(refused).rejects.toMatchObject({
      code: "APPLICATION_INVALID",
      message: typeof message === "string" ? message : expect.stringMatching(message),
    });
  });

  it("records the jobs that the handler submits, each once", async () => {
    const handler = charge.handler(async ({ payload, submit }) => {
      const first = await submit(charge, { cents: payload.cents + 1 }, { delayMs: 5 });
      const again = await submit(charge, { cents: payload.cents + 1 }, { delayMs: 5 });
      await submit(charge, { cents: 9 }, { name: "nine", runAt: new Date(0) });
      return { chargeId: `${first.duplicate} ${again.duplicate} ${first.id === again.id}` };
    });

    expect(await runHandler(handler, { cents: 1 })).toMatchObject({
      result: { chargeId: "false true true" },
      submitted: [
        {
          type: "charge",
          idempotencyKey: "charge:test/charge",
          payload: { cents: 2 },
          options: { delayMs: 5 },
        },
        { idempotencyKey: "charge:test/nine", options: { runAt: "1970-01-01T00:00:00.000Z" } },
      ],
    });
  });

  it.each([
    [
      "a payload that does not fit",
      { cents: -1 },
      {},
      "INVALID_PAYLOAD",
      /^submit "charge": \/payload\/cents/,
    ],
    ["other content under one name", { cents: 2 }, {}, "IDEMPOTENCY_KEY_REUSED", /a name of its own/],
    [
      "a name with a slash",
      { cents: 1 },
      { name: "a/b" },
      "INVALID_REQUEST",
      /expected no slash, got "a\/b"/,
    ],
    ["a bad option", { cents: 3 }, { name: "b", priority: -1 }, "INVALID_REQUEST", /\/options\/priority/],
  ])("fails a handler that submits %s", async (_, payload, options, code, message) => {
    const handler = charge.handler(async ({ submit }) => {
      await submit(charge, { cents: 1 });
      await submit(charge, payload, options);
      return { chargeId: "none" };
    });
    expect(await runHandler(handler, { cents: 1 })).toMatchObject({
      state: "failed",
      error: { code, message: expect.stringMatching(message) },
      submitted: [{ payload: { cents: 1 } }],
    });
  });

  it("refuses a script for an effect that the job does not declare", async () => {
    const effects = { chrage: { done: 1 } } as object;
    await expect(runHandler(chargeHandler, { cents: 1 }, { effects })).rejects.toMatchObject({
      code: "APPLICATION_INVALID",
      message: expect.stringContaining("chrage"),
    });
  });
});
