/** Compiled, not run: each line under a `@ts-expect-error` must be a compile error, and no other may be. */
import { defineJob } from "holdfast";
import { runHandler, type TestHoldfast } from "holdfast/testing";
import { z } from "zod";

const charge = defineJob({
  type: "charge",
  payload: z.strictObject({ cents: z.int(), customer: z.strictObject({ name: z.string(), age: z.int() }) }),
  result: z.strictObject({ chargeId: z.string() }),
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 100 } },
  timeoutMs: 1_000,
  effects: { charge: { timeoutMs: 100, inDoubt: "hold" } },
});
const handler = charge.handler(async () => ({ chargeId: "1" }));
const payload = { cents: 1, customer: { name: "Ann", age: 41 } };

export async function handlersAreTyped() {
  const run = await runHandler(handler, payload, {
    effects: { charge: { done: "1" }, "charge/ann": { inDoubt: true } },
  });
  const chargeId: string | undefined = run.result?.chargeId;
  if (run.state === "completed") run.result.chargeId.length;
  else if (run.state === "deferred") run.delayMs.toFixed();
  else run.error.code.length;
  // @ts-expect-error a deferred attempt has no error
  if (run.state !== "completed") run.error.code.length;
  // @ts-expect-error the payload lacks a member
  await runHandler(handler, { cents: 1 });
  // @ts-expect-error the job declares no such effect
  await runHandler(handler, payload, { effects: { chrage: { done: "1" } } });
  return chargeId;
}

export async function submissionsAreTyped(holdfast: TestHoldfast) {
  await holdfast.submit(charge, payload);
  // @ts-expect-error cents is a number
  await holdfast.submit(charge, { ...payload, cents: "1" });
  const [found] = await holdfast.submitted(charge, { customer: { name: "Ann" } });
  // @ts-expect-error a customer has no such member
  await holdfast.submitted(charge, { customer: { nmae: "Ann" } });
  const cents: number | undefined = found?.payload.cents;
  return cents;
}
