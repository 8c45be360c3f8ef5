import { expect, it } from "vitest";
import { type Control, untilCaught } from "./experiment.ts";
import { patiently } from "./inside/patiently.ts";

const failing = (error: Error, times: number) => {
  let calls = 0;
  return async () => {
    calls += 1;
    if (calls <= times) throw error;
    return calls;
  };
};

it("repeats a call that Redis was too slow for", async () => {
  const late = Object.assign(new Error("The store cannot be reached"), { retryable: true });
  expect(await patiently(failing(late, 2))).toBe(3);
});

it("passes on at once what trying again does not change", async () => {
  const refused = Object.assign(new Error("The effect is not in doubt"), { retryable: false });
  await expect(patiently(failing(refused, 1))).rejects.toBe(refused);
  const unknown = new TypeError("undefined is not a function");
  await expect(patiently(failing(unknown, 1))).rejects.toBe(unknown);
});

const caughtAt = (caught: number) => async (time: number) =>
  ({ protection: "key", isCaught: time >= caught, seen: `${time} jobs` }) satisfies Control;

it("repeats a control until it is caught, and shows at which try", async () => {
  expect(await untilCaught(3, caughtAt(1))).toEqual({ protection: "key", isCaught: true, seen: "1 jobs" });
  const { isCaught, seen } = await untilCaught(3, caughtAt(2));
  expect({ isCaught, seen }).toEqual({ isCaught: true, seen: "2 jobs, at try 2" });
});

it("does not call a control caught that never is", async () => {
  expect((await untilCaught(3, caughtAt(4))).isCaught).toBe(false);
});
