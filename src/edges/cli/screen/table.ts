import { screen } from "./screen.ts";
import { type Cell, cellText, cutTo, type Lines, printable, toned, widthOf } from "./text.ts";

/** A column of a table. A heading alone means that it is always shown. */
export interface Column {
  readonly heading: string;
  /** On a narrow screen columns are left out in this order: 1 first. */
  readonly leaves?: number | undefined;
}

/** A column, and its cell in a row: numbers as digits, null as nothing. */
export type ColumnOf<Row> = readonly [
  heading: string,
  cell: (row: Row) => Cell | number | null,
  leaves?: number,
];

const GAP = "  ";
/** Words may be cut to this; ids, times and numbers only if nothing else helps. */
const WORDS_MIN = 16;

/** Rows as aligned columns under headings, without control characters. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  return tableLines(headings, rows)
    .map((line) => line.map(cellText).join("").trimEnd())
    .join("\n");
}

/**
 * Rows as aligned columns under headings, no wider than the screen: first columns are left out, then words are cut, then everything.
 *
 * @param columns how many the screen has @default those of standard output; Infinity in a pipe
 */
export function tableLines(
  headings: readonly (string | Column)[],
  rows: readonly (readonly Cell[])[],
  columns = screen().columns,
): Cell[][] {
  const all = headings.map((heading) => (typeof heading === "string" ? { heading } : heading));
  const cells = [all.map(({ heading }) => toned(heading, "strong")), ...rows].map((row) => row.map(cleaned));
  const measured = all.map((column, index) => measure(column, index, cells, columns));
  const shown = fitting(measured, columns);
  const widths = shares(shown, columns);
  const lines = cells.map((row) =>
    aligned(
      shown.map(({ index }) => row[index] ?? ""),
      widths,
    ),
  );
  const left = measured.filter((column) => !shown.includes(column)).map(({ heading }) => heading);
  return left.length === 0 ? lines : [...lines, [leftOut(left, columns)]];
}

/** The same of rows that have their cells by columns. */
export function tableOf<Row>(
  columns: readonly ColumnOf<Row>[],
  rows: readonly Row[],
  width?: number,
): Cell[][] {
  const headings = columns.map(([heading, , leaves]) => ({ heading, leaves }));
  const cellsOf = (row: Row) =>
    columns.map(([, cellOf]) => {
      const cell = cellOf(row) ?? "";
      return typeof cell === "number" ? String(cell) : cell;
    });
  return tableLines(headings, rows.map(cellsOf), width);
}

/** Describes a list: as a table, or by a sentence where there are none. */
export function listText<Row>(
  none: string,
  columns: readonly ColumnOf<Row>[],
): (rows: readonly Row[]) => Lines {
  return (rows) => (rows.length === 0 ? none : tableOf(columns, rows));
}

interface Measured extends Column {
  readonly index: number;
  readonly width: number;
  /** How wide it is at least, unless nothing else helps. */
  readonly least: number;
}

function measure(
  column: Column,
  index: number,
  rows: readonly (readonly Cell[])[],
  columns: number,
): Measured {
  const texts = rows.map((row) => cellText(row[index] ?? ""));
  const width = Math.min(columns, Math.max(...texts.map(widthOf)));
  // What has spaces is read as words; what has none is an id, a time, a number, to be copied whole.
  const isWords = texts.slice(1).some((text) => text.includes(" "));
  return { ...column, index, width, least: isWords ? Math.min(width, WORDS_MIN) : width };
}

/** Without the columns for which there is no room. */
function fitting(all: readonly Measured[], columns: number): readonly Measured[] {
  const needed = all.reduce((sum, { least }) => sum + least + GAP.length, -GAP.length);
  if (needed <= columns) return all;
  const [first] = all
    .filter(({ leaves }) => leaves !== undefined)
    .sort((a, b) => (a.leaves ?? 0) - (b.leaves ?? 0));
  return first === undefined
    ? all
    : fitting(
        all.filter((column) => column !== first),
        columns,
      );
}

/** How wide each column becomes: the widest gives first. */
function shares(shown: readonly Measured[], columns: number): number[] {
  const widths = shown.map(({ width }) => width);
  const room = columns - GAP.length * (shown.length - 1);
  for (const leasts of [shown.map(({ least }) => least), shown.map(() => 1)]) {
    for (let over = widths.reduce((sum, width) => sum + width, 0) - room; over > 0; over -= 1) {
      const spare = widths.map((width, index) => (width > (leasts[index] ?? 1) ? width : 0));
      const widest = spare.indexOf(Math.max(...spare));
      if ((spare[widest] ?? 0) === 0) break;
      widths[widest] = (widths[widest] ?? 1) - 1;
    }
  }
  return widths;
}

function aligned(row: readonly Cell[], widths: readonly number[]): Cell[] {
  return row.flatMap((cell, index) => {
    const width = widths[index] ?? 0;
    const text = cutTo(cellText(cell), width);
    const gap = index === row.length - 1 ? "" : `${" ".repeat(Math.max(0, width - widthOf(text)))}${GAP}`;
    return [typeof cell === "string" ? text : { ...cell, text }, gap];
  });
}

function cleaned(cell: Cell): Cell {
  return typeof cell === "string" ? printable(cell) : { ...cell, text: printable(cell.text) };
}

function leftOut(headings: readonly string[], columns: number): Cell {
  return toned(cutTo(`(no room for ${headings.join(", ")})`, columns), "faint");
}
