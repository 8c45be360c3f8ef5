import { expect, it } from "vitest";
import { computeInTurns } from "./in-turns.ts";

function busy(ms: number): number {
  const begun = performance.now();
  while (performance.now() - begun < ms);
  return ms;
}

it("computes in order, and lets others have their turn in between, whoever asked", async () => {
  const compute = computeInTurns(2);
  const order: string[] = [];
  const work = Array.from({ length: 20 }, (_, index) =>
    compute(() => {
      order.push(`work ${index}`);
      return busy(1);
    }),
  );
  const turns = (async () => {
    while (order.filter((each) => each !== "other").length < 20) {
      await new Promise((resolve) => setImmediate(resolve));
      if (order.at(-1) !== "other") order.push("other");
    }
  })();
  expect(await Promise.all(work)).toEqual(Array.from({ length: 20 }, () => 1));
  await turns;
  expect(order.filter((each) => each !== "other")).toEqual(work.map((_, index) => `work ${index}`));
  expect(order.filter((each) => each === "other").length).toBeGreaterThan(4);
});

it("goes on after work that fails", async () => {
  const compute = computeInTurns();
  const failed = compute(() => {
    throw new Error("no");
  });
  const next = compute(() => 2);
  await expect(failed).rejects.toThrow("no");
  expect(await next).toBe(2);
});
