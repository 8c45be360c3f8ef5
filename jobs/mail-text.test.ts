import { describe, expect, it } from "vitest";
import { oneLine } from "./mail-text.ts";

describe("a name for a header", () => {
  it.each([
    ["a line break", "A\r\nBcc: x@example.org", "A Bcc: x@example.org"],
    ["a Unicode line separator", "A\u2028B\u2029C\u0085D", "A B C D"],
    ["control characters", "A\0\u001b[31mB\u007f", "A [31mB"],
    ["a direction override", "A\u202Egro.elpmaxe\u202C", "Agro.elpmaxe"],
    ["an encoded word", "=?utf-8?Q?=0D=0A?=", "= ?utf-8?Q?=0D=0A?="],
    [
      "an encoded word that a direction override hides",
      "=\u202e?utf-8?Q?=E2=80=AE?=",
      "= ?utf-8?Q?=E2=80=AE?=",
    ],
    ["half a character", "A\ud83d", "A"],
    ["spaces around and within", "  A \t  B ", "A B"],
  ])("loses %s", (_, name, shown) => {
    expect(oneLine(name)).toBe(shown);
  });

  it.each(["👩‍👩‍👧 Familie", "نیما می‌خواهم", "O'Brien", "José", "😀"])(
    "keeps its own characters: %s",
    (name) => {
      expect(oneLine(name)).toBe(name);
    },
  );
});
