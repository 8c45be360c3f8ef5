import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { keyFault, nextKey, nextNameFault } from "./idempotency-key.ts";

describe("an idempotency key", () => {
  it.each(["a", " ", "signup-42", "__proto__", "a:b:c", "ключ 鍵 🔑", "a".repeat(255), "🔑".repeat(255)])(
    "may be %j",
    (key) => {
      expect(keyFault(key)).toBeUndefined();
    },
  );

  it.each([
    ["nothing", "", "expected at least one character"],
    ["256 letters", "a".repeat(256), "expected at most 255 characters"],
    ["256 characters of two code units", "🔑".repeat(256), "expected at most 255 characters"],
    ["ten megabytes", "a".repeat(10_000_000), "expected at most 255 characters"],
    ["a lone surrogate", "a\ud800", "expected well-formed Unicode"],
    ["a line break", "a\nb", "expected no control characters"],
    ["a null", "\0", "expected no control characters"],
    ["a delete", "\x7f", "expected no control characters"],
    ["a C1 control", "\x85", "expected no control characters"],
  ])("may not be %s", (_, key, fault) => {
    expect(keyFault(key)).toBe(fault);
  });

  it("may be any 1 to 255 characters that are not control characters", () => {
    const character = fc.integer({ min: 0, max: 0x10ffff }).map((point) => String.fromCodePoint(point));
    const allowed = character.filter((text) => text.isWellFormed() && !/\p{Cc}/u.test(text));
    fc.assert(
      fc.property(fc.array(allowed, { minLength: 1, maxLength: 255 }), (characters) => {
        expect(keyFault(characters.join(""))).toBeUndefined();
      }),
    );
  });
});

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
