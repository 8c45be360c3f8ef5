import { randomInt } from "node:crypto";
import { describe, expect, it } from "vitest";
import { scrubberOf, scrubFields } from "./redaction.ts";

describe("a text", () => {
  const scrub = scrubberOf({ token: 'sec"ret', pins: [123_456, 7], all: { of: "it all" } }, [
    "/token",
    "/pins",
    "/all",
    "/missing",
  ]);

  it("loses the secrets that it quotes, literally or as JSON", () => {
    expect(scrub('bad sec"ret, {"token":"sec\\"ret"}, pin 123456, it all')).toBe(
      'bad [redacted], {"token":"[redacted]"}, pin [redacted], [redacted]',
    );
  });

  it("keeps secrets that are too short to search for", () => {
    expect(scrub("7 of 7")).toBe("7 of 7");
  });

  it("loses them anywhere in the fields of a log line", () => {
    const fields = {
      list: [{ a: "it all" }],
      err: new TypeError("it all"),
      "it all": 2,
      n: 1,
      none: null,
    };

    expect(scrubFields(fields, scrub)).toEqual({
      list: [{ a: "[redacted]" }],
      err: { type: "TypeError", message: "[redacted]" },
      "[redacted]": 2,
      n: 1,
      none: null,
    });
  });

  it("loses secrets that begin, contain or overlap each other, the longest at each place", () => {
    const scrubAll = scrubberOf(["abcd", "abcdef", "abcdzz", "defghi", "cdef"], ["/*"]);
    expect(scrubAll("abcd abcdef abcdzz! abcde abcdefghi xcdef abc")).toBe(
      "[redacted] [redacted] [redacted]! [redacted]e [redacted] x[redacted] abc",
    );
    expect(scrubAll("abcdabcdef")).toBe("[redacted][redacted]");
    expect(scrubAll("none")).toBe("none");
  });

  it("finds the same as one search for each secret", () => {
    const letters = (length: number) => Array.from({ length }, () => "ab"[randomInt(2)]).join("");
    for (let round = 0; round < 300; round += 1) {
      const secrets = Array.from({ length: 1 + randomInt(20) }, () => letters(4 + randomInt(6)));
      const text = letters(60);
      const isSecret = Array.from(text, () => false);
      for (const secret of secrets)
        for (let at = text.indexOf(secret); at >= 0; at = text.indexOf(secret, at + 1))
          isSecret.fill(true, at, at + secret.length);
      const kept = Array.from(text).filter((_, at) => !isSecret[at]);
      const scrubbed = scrubberOf(secrets, ["/*"])(text).replaceAll("[redacted]", "");
      expect(scrubbed, JSON.stringify({ secrets, text })).toBe(kept.join(""));
    }
  });

  it("costs one pass, however many secrets there are", () => {
    const secrets = Array.from({ length: 60_000 }, (_, index) => `secret ${index}`);
    const text = "secret and no secret at all, ".repeat(600);
    const scrubMany = scrubberOf(secrets, ["/*"]);
    scrubMany(text);
    const startedAt = performance.now();
    for (let n = 0; n < 10; n += 1) scrubMany(text);
    // One search for each took 10 s.
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  it.each([
    ["one that it nearly repeats at each place", [`${"a".repeat(200_000)}b`], "a".repeat(200_000)],
    [
      "many that begin each other",
      Array.from({ length: 1_400 }, (_, index) => "a".repeat(index + 4)),
      `${"a".repeat(700)}b`.repeat(700),
    ],
    [
      "many that begin each other, and one that begins with all of them",
      [...Array.from({ length: 1_400 }, (_, index) => "a".repeat(index + 4)), `${"a".repeat(1_400)}c`],
      `${"a".repeat(700)}b`.repeat(700),
    ],
  ])("loses its rest where the search would take long: %s", (_, secrets, text) => {
    const startedAt = performance.now();
    const scrubbed = scrubberOf(secrets, ["/*"])(`so ${text}, and secret no more`);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    expect(scrubbed).toMatch(/^so a{0,64}\[redacted\]/);
    expect(scrubbed).not.toContain("a".repeat(65));
  });
});
