import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { jsonLine } from "./output.ts";
import { table } from "./table.ts";
import { printable } from "./text.ts";

/** What a terminal obeys: escapes in 7 and 8 bits, line ends, marks that change the direction of text. */
const controls = [
  "\x1b[2J",
  "\x1b]0;title\x07",
  "\x9b31m",
  "\x9d0;title\x9c",
  "\r",
  "\b",
  "\x7f",
  "\u202e",
  "\u2066",
  "\u2028",
  "\u{e0001}",
];
const control = /[\p{Cc}\p{Cf}\u2028\u2029]/u;

describe("a text from outside", () => {
  it.each(controls)("is printed without control characters: %j", (text) => {
    expect(printable(`a${text}b`)).toMatch(/^a·.*b$/u);
    expect(printable(`a${text}b`)).not.toMatch(control);
    expect(table(["name"], [[`a${text}b`]])).toMatch(/^name\na·/u);
  });

  it("keeps its value in a line of JSON, with all of that escaped", () => {
    const texts = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom(...controls));
    fc.assert(
      fc.property(texts, (text) => {
        const line = jsonLine({ [text]: [text] });
        expect(line).not.toMatch(control);
        expect(JSON.parse(line)).toEqual({ [text]: [text] });
      }),
    );
  });
});
