import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { keyFault } from "./idempotency-key.ts";

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
