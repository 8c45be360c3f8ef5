import { describe, expect, it } from "vitest";
import { oneAfterAnother, oneAtATime } from "./one-at-a-time.ts";

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

describe("oneAfterAnother", () => {
  it("gives no caller a run that began before its call, and one to all who call meanwhile", async () => {
    let begun = 0;
    const ends: (() => void)[] = [];
    const ask = oneAfterAnother(async () => {
      begun += 1;
      const own = begun;
      await new Promise<void>((resolve) => ends.push(resolve));
      return own;
    });
    const first = ask();
    const later = [ask(), ask()];
    expect(begun).toBe(1);
    ends[0]?.();
    expect(await first).toBe(1);
    ends[1]?.();
    expect(await Promise.all(later)).toEqual([2, 2]);
    const last = ask();
    ends[2]?.();
    expect(await last).toBe(3);
  });

  it("begins the next run where one has failed", async () => {
    let asked = 0;
    const ask = oneAfterAnother(async () => {
      asked += 1;
      if (asked === 1) throw new RangeError("once");
      return asked;
    });
    const [first, second] = await Promise.allSettled([ask(), ask()]);
    expect([first?.status, second]).toEqual(["rejected", { status: "fulfilled", value: 2 }]);
  });
});
