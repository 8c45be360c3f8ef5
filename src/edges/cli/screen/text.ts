import { styleText } from "node:util";
import { printable } from "./printable.ts";
import type { Screen } from "./screen.ts";

/** What a part of a line means. Where a screen has colors, it decides the color. */
export type Tone = keyof typeof formats;

const formats = {
  good: "green",
  warning: "yellow",
  bad: "red",
  faint: "dim",
  strong: "bold",
} as const satisfies Record<string, Parameters<typeof styleText>[0]>;

export interface Toned {
  readonly text: string;
  readonly tone: Tone;
}

/** A part of a line. */
export type Cell = string | Toned;

/** Lines as their parts, or as one text. */
export type Lines = string | readonly (readonly Cell[])[];

/** A text with a tone; plain where there is none to give. */
export function toned(text: string, tone: Tone | undefined): Cell {
  return tone === undefined ? text : { text, tone };
}

export function textOf(cell: Cell): string {
  return typeof cell === "string" ? cell : cell.text;
}

export function linesOf(lines: Lines): readonly (readonly Cell[])[] {
  return typeof lines === "string" ? lines.split("\n").map((line) => [line]) : lines;
}

/** A line for a screen, without control characters other than those of its colors. */
export function rendered(line: readonly Cell[], { hasColors }: Pick<Screen, "hasColors">): string {
  return line
    .map((cell) => {
      const text = printable(textOf(cell));
      if (typeof cell === "string" || text === "" || !hasColors) return text;
      return styleText(formats[cell.tone], text, { validateStream: false });
    })
    .join("");
}
