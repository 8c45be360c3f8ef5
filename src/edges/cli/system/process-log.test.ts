import fc from "fast-check";
import { prettyFactory } from "pino-pretty";
import { describe, expect, it } from "vitest";
import { messageFormat, withoutControls } from "./process-log.ts";

const pretty = prettyFactory({ colorize: false, messageFormat });
const hostile = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom("\x1b[2J", "\\\x1b[2J", "\\u001b[2J", "\x9b31m", "\r", "\b\f", "\x7f", "\u202e", '\\"\x1b'),
);

describe("the log on a terminal", () => {
  it("contains nothing that commands it, whatever messages, fields and stacks quote", () => {
    fc.assert(
      fc.property(hostile, hostile, (before, after) => {
        const text = before + after;
        const line = `${JSON.stringify({ level: 30, role: "api", msg: text, reason: text, err: { type: "Error", message: text, stack: `Error: ${text}\n    at x` } })}\n`;
        expect(pretty(withoutControls(line)).replaceAll(/[\n\t]/g, "")).not.toMatch(
          /[\p{Cc}\p{Cf}\u2028\u2029]/u,
        );
      }),
    );
  });

  it("has one line of its own for each that was logged, whatever texts quote", () => {
    const text = "no\n[18:00:00.000] INFO: api · all is well\n\nINFO";
    const line = `${JSON.stringify({ level: 50, role: "worker", msg: text, reason: text, err: { type: "Error", message: text, stack: `Error: ${text}\n    at x` } })}\n`;

    const shown = pretty(withoutControls(line));

    expect(shown).toContain("all is well");
    expect(shown.split("\n").filter((one) => /^\S/.test(one))).toEqual(["ERROR: worker · no"]);
  });

  it("leaves other lines as they are", () => {
    const line = '{"level":30,"msg":"a\\n\\"b\\" c:\\\\u001b \\\\ \\u0041 ü"}\n';

    expect(withoutControls(line)).toBe(line);
  });
});
