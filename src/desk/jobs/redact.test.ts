import { describe, expect, it } from "vitest";
import { redact, redactionOf } from "./redact.ts";

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
