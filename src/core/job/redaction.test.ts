import { describe, expect, it } from "vitest";
import { redact, redactionOf, scrubberOf, scrubFields } from "./redaction.ts";

describe("redacting", () => {
  const payload = { user: { name: "Ada", password: "secret" }, tokens: ["t1", "t2"], "a/b": 1, none: null };

  it.each([
    ["/user/password", { ...payload, user: { name: "Ada", password: "[redacted]" } }],
    ["/user", { ...payload, user: "[redacted]" }],
    ["/user/*", { ...payload, user: { name: "[redacted]", password: "[redacted]" } }],
    ["/tokens/*", { ...payload, tokens: ["[redacted]", "[redacted]"] }],
    ["/tokens/1", { ...payload, tokens: ["t1", "[redacted]"] }],
    ["/a~1b", { ...payload, "a/b": "[redacted]" }],
    ["", "[redacted]"],
    ["/none", payload],
    ["/missing/deep", payload],
  ])("at %j replaces the value there, and nothing else", (pointer, expected) => {
    const before = structuredClone(payload);

    expect(redact(payload, [pointer])).toEqual(expected);
    expect(payload).toEqual(before);
  });

  it("hides all of a job whose type is not known", () => {
    expect(redactionOf(new Map(), "unknown")).toEqual({ payload: [""], result: [""] });
  });
});

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
