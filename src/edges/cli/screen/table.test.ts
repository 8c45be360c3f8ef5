import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { tableLines } from "./table.ts";
import { type Cell, cellText, cutTo, rendered, toned, widthOf } from "./text.ts";

const id = "default_01a21c59-518f-7959-8fa5-e04dfef5d36b";
const columns = [
  "id",
  "state",
  { heading: "attempts", leaves: 1 },
  { heading: "submitted", leaves: 2 },
  "error",
];
const rows: Cell[][] = [
  [id, toned("failed", "bad"), "3/3", "2026-11-27T09:32:25.360Z", "HANDLER_FAILED: the mail server said no"],
];
const shown = (width: number) =>
  tableLines(columns, rows, width).map((line) => line.map(cellText).join("").trimEnd());

describe("a table", () => {
  it("is whole where nothing limits it", () => {
    expect(shown(Number.POSITIVE_INFINITY)).toEqual([
      "id                                            state   attempts  submitted                 error",
      `${id}  failed  3/3       2026-11-27T09:32:25.360Z  HANDLER_FAILED: the mail server said no`,
    ]);
  });

  it("cuts words first, and leaves ids and times whole", () => {
    expect(shown(110)[1]).toBe(`${id}  failed  3/3       2026-11-27T09:32:25.360Z  HANDLER_FAILED: the…`);
  });

  it("then leaves out columns, in their order, and names them", () => {
    expect(shown(98)[1]).toBe(`${id}  failed  2026-11-27T09:32:25.360Z  HANDLER_FAILED: t…`);
    expect(shown(98)[2]).toBe("(no room for attempts)");
    expect(shown(70)[1]).toBe(`${id}  failed  HANDLER_FAILED:…`);
    expect(shown(70)[2]).toBe("(no room for attempts, submitted)");
  });

  it("is never wider than the screen, whatever it has", () => {
    const cell = fc.string({ unit: "grapheme", maxLength: 40 });
    const width = fc.integer({ min: 30, max: 120 });
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell, cell, cell, cell)), width, (cells, screen) => {
        for (const line of tableLines(columns, cells, screen))
          expect(widthOf(line.map(cellText).join(""))).toBeLessThanOrEqual(screen);
      }),
    );
  });
});

describe("a text", () => {
  it.each([
    ["abc", 3],
    ["注文", 4],
    ["✅ok", 4],
    ["é", 1],
  ])("%s needs %d columns", (text, width) => {
    expect(widthOf(text)).toBe(width);
  });

  it("is cut between characters, not within one", () => {
    expect(cutTo("注文の確認", 6)).toBe("注文…");
    expect(cutTo("short", 5)).toBe("short");
  });

  it("has colors only where the screen has, and none of its own", () => {
    const line = [toned("a\x1b[32mb", "bad"), "c\x1b[32m"];
    expect(rendered(line, { hasColors: true })).toBe("\x1b[31ma·[32mb\x1b[39mc·[32m");
    expect(rendered(line, { hasColors: false })).toBe("a·[32mbc·[32m");
  });
});
