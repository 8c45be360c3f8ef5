import { describe, expect, it } from "vitest";
import { suggestion } from "./did-you-mean.ts";

describe("an unknown name", () => {
  const known = ["welcome-email", "daily-digest", "echo"];

  it.each([
    ["welcom-email", "welcome-email"],
    ["wlecome-email", "welcome-email"],
    ["Daily-Digest", "daily-digest"],
    ["ehco", "echo"],
  ])("that is nearly right is answered with what was meant: %s", (name, meant) => {
    expect(suggestion(name, known)).toBe(`did you mean "${meant}"?`);
  });

  it.each(["refund", "e", "x".repeat(100_000)])("that is not is answered with what there is", (name) => {
    expect(suggestion(name, known)).toBe("declared: welcome-email, daily-digest, echo");
    expect(suggestion(name, known, "see elsewhere")).toBe("see elsewhere");
  });

  it("is answered with none if there is none", () => {
    expect(suggestion("echo", [])).toBe("declared: none");
  });
});
