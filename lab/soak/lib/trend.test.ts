import { describe, expect, it } from "vitest";
import { trendOf } from "./trend.ts";

const MINUTES = 30;
const quantity = { name: "heap", unit: "MB", slack: 2 };

/** A sampled heap: it fills and is emptied, over a floor of 40 MB. @param extra added to it */
function heapWith(extra: (minute: number) => number) {
  const points = Array.from({ length: MINUTES * 6 }, (_, index) => {
    const at = index * 10;
    return { at, value: 40 + (index % 7) * 4 + extra(at / 60) };
  });
  return trendOf({ quantity, owner: "worker", points });
}

describe("what is sampled through a soak", () => {
  it("is level where it only goes up and down", () => {
    expect(heapWith(() => 0)).toMatchObject({ isLevel: true });
  });

  it("is level where it grew while it warmed up, or stood out once", () => {
    expect(heapWith((minute) => Math.min(minute, 10) * 5)).toMatchObject({ isLevel: true });
    expect(heapWith((minute) => (minute > 20 && minute < 22 ? 500 : 0))).toMatchObject({ isLevel: true });
  });

  it("is level where it shrinks", () => {
    expect(heapWith((minute) => 30 - minute)).toMatchObject({ isLevel: true });
  });

  it("grows where a little more is kept each minute, less than the heap goes up and down by", () => {
    const { isLevel, growth } = heapWith((minute) => minute * 0.3);
    expect(isLevel).toBe(false);
    expect(growth).toBeCloseTo(4.5, 0);
  });
});
