import { describe, expect, it } from "vitest";
import { screenOf } from "./screen.ts";

const terminal = { isTTY: true, columns: 80, rows: 24 };

describe("a screen", () => {
  it.each([
    ["a terminal", terminal, true, {}, true],
    ["a terminal without colors", terminal, true, { TERM: "dumb" }, false],
    ["a terminal with NO_COLOR", terminal, true, { NO_COLOR: "1" }, false],
    ["a terminal with --no-color", terminal, false, { FORCE_COLOR: "1" }, false],
    ["a pipe", {}, true, {}, false],
    ["a pipe with FORCE_COLOR", {}, true, { FORCE_COLOR: "1" }, true],
    ["a pipe with FORCE_COLOR=0", {}, true, { FORCE_COLOR: "0" }, false],
    ["a pipe with both", {}, true, { FORCE_COLOR: "1", NO_COLOR: "1" }, false],
  ] as const)("%s: has colors or not", (_, output, color, env, hasColors) => {
    const variables: Readonly<Record<string, string>> = env;
    expect(screenOf(output, { color }, (name) => variables[name]).hasColors).toBe(hasColors);
  });

  it("is as wide as its terminal, and without end in a pipe", () => {
    expect(screenOf(terminal, { color: true }, () => undefined)).toMatchObject({ columns: 80, rows: 24 });
    expect(screenOf({}, { color: true }, () => undefined)).toMatchObject({
      columns: Number.POSITIVE_INFINITY,
      isTerminal: false,
    });
  });
});
