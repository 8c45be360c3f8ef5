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
    const fields = { list: [{ a: "it all" }], err: new TypeError("it all"), n: 1, none: null };

    expect(scrubFields(fields, scrub)).toEqual({
      list: [{ a: "[redacted]" }],
      err: { type: "TypeError", message: "[redacted]" },
      n: 1,
      none: null,
    });
  });
});
