import { printable, table } from "./table.ts";

/** A column of a table. A heading alone is one that never leaves. */
export interface FittingColumn {
  readonly heading: string;
  /** Where the terminal is narrow, columns leave in this order: 1 first. */
  readonly leaves?: number;
}

const GAP = 2;

/** A table no wider than the terminal: columns leave, then the ends of lines. */
export function fittingTable(
  columns: readonly FittingColumn[],
  rows: readonly (readonly string[])[],
  width: number,
): string {
  const kept = keptColumns(columns, rows, width);
  const only = (row: readonly string[]) => kept.map((index) => row[index] ?? "");
  const text = table(only(columns.map(({ heading }) => heading)), rows.map(only));
  return text
    .split("\n")
    .map((line) => (line.length > width ? `${line.slice(0, width - 1)}…` : line))
    .join("\n");
}

function keptColumns(
  columns: readonly FittingColumn[],
  rows: readonly (readonly string[])[],
  width: number,
): number[] {
  const kept = new Set(columns.keys());
  const leaving = [...columns.entries()]
    .filter(([, { leaves }]) => leaves !== undefined)
    .sort(([, a], [, b]) => (a.leaves ?? 0) - (b.leaves ?? 0));
  const widths = columns.map(({ heading }, index) =>
    Math.max(heading.length, ...rows.map((row) => printable(row[index] ?? "").length)),
  );
  const needed = () => [...kept].reduce((sum, index) => sum + (widths[index] ?? 0) + GAP, -GAP);
  for (const [index] of leaving) if (needed() > width) kept.delete(index);
  return [...kept];
}
