import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { percentilesOf } from "./queue-overview.ts";

describe("percentilesOf", () => {
  it("has none without values", () => {
    expect(percentilesOf([])).toEqual({ count: 0, p50: null, p90: null, p99: null });
  });

  it("uses the nearest rank", () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(percentilesOf(hundred)).toEqual({ count: 100, p50: 50, p90: 90, p99: 99 });
  });

  it("returns values of the list, in order, and does not change the list", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { minLength: 1 }), (values) => {
        const before = [...values];
        const { p50, p90, p99 } = percentilesOf(values);
        expect(values).toEqual(before);
        for (const value of [p50, p90, p99]) expect(values).toContain(value);
        expect(Number(p50)).toBeLessThanOrEqual(Number(p90));
        expect(Number(p90)).toBeLessThanOrEqual(Number(p99));
      }),
    );
  });
});
