import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { keyFault } from "./idempotency-key.ts";
import { nextKey, nextNameFault } from "./next-key.ts";

describe("the idempotency key of a job that another one submits", () => {
  it("has the other job's type and key, and a name", () => {
    expect(nextKey("order", "order-7", "ship")).toBe("order:order-7/ship");
    expect(nextKey("order", "🔑".repeat(244), "ship")).toBe(`order:${"🔑".repeat(244)}/ship`);
  });

  it("is a hash where it would be longer than 255 characters", () => {
    expect(nextKey("order", "k".repeat(245), "ship")).toMatch(/^order:sha256:[0-9a-f]{64}$/);
    expect(nextKey("order", "k".repeat(245), "ship")).not.toBe(nextKey("order", "k".repeat(246), "ship"));
  });

  it("is a key, and another one for each type, key and name", () => {
    const character = fc.constantFrom("a", "b", ":", "/", "🔑");
    const text = fc.string({ unit: character, minLength: 1, maxLength: 255 });
    const name = text.filter((candidate) => nextNameFault(candidate) === undefined);
    const parts = fc.tuple(fc.constantFrom("a", "b", "a-b"), text, name);
    fc.assert(
      fc.property(parts, parts, (one, other) => {
        expect(keyFault(nextKey(...one))).toBeUndefined();
        expect(nextKey(...one) === nextKey(...other)).toBe(one.join(" ") === other.join(" "));
      }),
    );
  });
});
