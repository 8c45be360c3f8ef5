import { describe, expect, it } from "vitest";
import { oneAtATime } from "./one-at-a-time.ts";

describe("oneAtATime", () => {
  it("gives concurrent callers one answer, and later callers a new one", async () => {
    let asked = 0;
    const ask = oneAtATime(async () => {
      asked += 1;
      return asked;
    });
    expect(await Promise.all([ask(), ask(), ask()])).toEqual([1, 1, 1]);
    expect(await ask()).toBe(2);
  });

  it("runs again after a failure, which all callers get", async () => {
    let asked = 0;
    const ask = oneAtATime(async () => {
      asked += 1;
      if (asked === 1) throw new RangeError("once");
      return asked;
    });
    const results = await Promise.allSettled([ask(), ask()]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(await ask()).toBe(2);
  });
});
