import { describe, expect, it } from "vitest";
import { placeFunctions } from "./place-functions.ts";

/** Without indentation and empty lines. */
function linesOf(...lua: string[]): string[] {
  return placeFunctions(`${lua.join("\n")}\n`)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

const a = "local function a() return 1 end";

describe("a function of a script", () => {
  it("is made in the function that alone calls it, also the first one, and with what that one needs", () => {
    expect(
      linesOf(a, "local function b() return a() end", "local function c() return b() end", "return c()"),
    ).toEqual([
      "local function c()",
      "local function b()",
      a,
      "return a() end",
      "return b() end",
      "return c()",
    ]);
  });

  it("is made in the branch that alone calls it", () => {
    expect(linesOf(a, "if x then", "return a() + a()", "end", "return 2")).toEqual([
      "if x then",
      a,
      "return a() + a()",
      "end",
      "return 2",
    ]);
  });

  it("stays outside of what may run more than once: a loop, a function that is called twice, or passed on", () => {
    const loop = [a, "for i = 1, 2 do", "a()", "end"];
    expect(linesOf(...loop)).toEqual(loop);
    const twice = [a, "local function b() return a() end", "b()", "return b()"];
    expect(linesOf(...twice)).toEqual(twice);
    const passedOn = [a, "local function b() return a() end", "return sort(t, b)"];
    expect(linesOf(...passedOn)).toEqual(passedOn);
    const nameless = [a, "return sort(t, function() return a() end)"];
    expect(linesOf(...nameless)).toEqual(nameless);
  });

  it("stays where what it uses means something else in the block", () => {
    const hidden = [
      "local n = 1",
      "local function a() return n end",
      "if x then",
      "local n = 2",
      "return a() + n",
      "end",
    ];
    expect(linesOf(...hidden)).toEqual(hidden);
  });

  it("is left out where nothing calls it, or only what is left out", () => {
    expect(linesOf("#!lua flags=no-writes", a, "local function b() return a() end", "return 2")).toEqual([
      "#!lua flags=no-writes",
      "return 2",
    ]);
  });
});
