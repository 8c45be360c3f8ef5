import { styleText } from "node:util";
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

export type Cell = string | Toned;

/** Lines as their parts, or as one text. */
export type Lines = string | readonly (readonly Cell[])[];

export function toned(text: string, tone: Tone | undefined): Cell {
  return tone === undefined ? text : { text, tone };
}

export function cellText(cell: Cell): string {
  return typeof cell === "string" ? cell : cell.text;
}

export function linesOf(lines: Lines): readonly (readonly Cell[])[] {
  return typeof lines === "string" ? lines.split("\n").map((line) => [line]) : lines;
}

/** A line for a screen, without control characters other than those of its colors. */
export function rendered(line: readonly Cell[], { hasColors }: Pick<Screen, "hasColors">): string {
  return line
    .map((cell) => {
      const text = printable(cellText(cell));
      if (typeof cell === "string" || text === "" || !hasColors) return text;
      return styleText(formats[cell.tone], text, { validateStream: false });
    })
    .join("");
}

/** A text without control characters, which would break lines or command the terminal. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, "·");
}

// How many columns a terminal needs for a text. Most are ASCII, for which this is the length.

const ascii = /^[\x20-\x7e]*$/;
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|\ufe0f/u;
const graphemes = new Intl.Segmenter();

export function widthOf(text: string): number {
  if (ascii.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += wide.test(segment) ? 2 : 1;
  return width;
}

/** Cuts a text that needs more columns, and says so with `…`. */
export function cutTo(text: string, width: number): string {
  if (text.length <= width && widthOf(text) <= width) return text;
  let kept = "";
  let room = width - 1;
  for (const { segment } of graphemes.segment(text)) {
    room -= widthOf(segment);
    if (room < 0) break;
    kept += segment;
  }
  return width < 1 ? "" : `${kept}…`;
}
