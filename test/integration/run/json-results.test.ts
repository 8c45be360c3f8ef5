import { defineJob } from "holdfast";
import { runHandler } from "holdfast/testing";
import { expect, it } from "vitest";
import { z } from "zod";
import { applicationOf, createService, untilState } from "../../support/service.ts";

const acting = defineJob({
  type: "acting",
  payload: z.unknown(),
  result: z.unknown(),
  retry: { attempts: 2, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 10_000,
  effects: { act: { timeoutMs: 5_000, inDoubt: "hold" } },
});

class Money {
  readonly cents = 5;
  toJSON() {
    return `${this.cents} cents`;
  }
}

const at = new Date(0);
const rich = { at, list: [at], none: undefined, method: () => 1, money: new Money(), bytes: [undefined] };

it("gives a handler the same result at the first run and later, and shows it in the status", async () => {
  const got: unknown[] = [];
  const handler = acting.handler(async ({ effect, attempt }) => {
    got.push(await effect("act", async () => rich as unknown));
    if (attempt === 1) throw new Error("again");
    return rich;
  });
  const service = createService(applicationOf(handler));
  await service.startWorker();
  const producer = await service.createProducer();
  const { id } = await producer.submit(acting, null, { idempotencyKey: "k" });

  const { result } = await untilState(producer, id, "completed");

  const kept = { at: at.toISOString(), list: [at.toISOString()], money: "5 cents", bytes: [null] };
  expect(got).toStrictEqual([kept, kept]);
  expect(result).toStrictEqual(kept);
  const run = await runHandler(handler, null, { attempt: 2 });
  expect(run.effects[0]?.result).toStrictEqual(kept);
  expect(run.result).toStrictEqual(kept);
});

it.each<[string, unknown]>([
  ["a map", new Map([["a", 1]])],
  ["a set, deep inside", { a: [new Set()] }],
  ["a bigint", { cents: 5n }],
  ["a number that is not finite", { ratio: Number.NaN }],
  ["a symbol", Symbol("no")],
])("says that JSON cannot hold a result, of an effect or a job: %s", async (_, value) => {
  const ofEffect = await runHandler(
    acting.handler(async ({ effect }) => await effect("act", async () => value)),
    null,
  );
  expect(ofEffect).toMatchObject({ state: "failed", error: { code: "RESULT_INVALID" } });
  // It is done, and not done again.
  expect(ofEffect.effects).toMatchObject([{ state: "done", ran: true }]);
  const ofJob = await runHandler(
    acting.handler(async () => value),
    null,
  );
  expect(ofJob).toMatchObject({ state: "failed", error: { code: "RESULT_INVALID" } });
});

it("leaves an effect in doubt that returned a function: what it stands for has not run", async () => {
  const value = () => 5;
  const { state, error } = await runHandler(
    acting.handler(async ({ effect }) => await effect("act", async () => value as unknown)),
    null,
  );
  expect({ state, code: error?.code }).toEqual({ state: "failed", code: "EFFECT_IN_DOUBT" });

  const ofJob = await runHandler(
    acting.handler(async () => value),
    null,
  );
  expect(ofJob).toMatchObject({ state: "failed", error: { code: "RESULT_INVALID" } });
});
