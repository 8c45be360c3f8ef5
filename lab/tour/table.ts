// The table of the tour, as it stands in docs/tour.md.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Break } from "./breaks.ts";
import type { Counts } from "./scene.ts";

export interface Row {
  readonly one: Break;
  readonly byHand: Counts;
  readonly held: Counts;
}

const page = fileURLToPath(new URL("../../docs/tour.md", import.meta.url));
const begin = "<!-- generated: npm run tour -->\n";
const end = "\n<!-- end of generated -->";

export function tableOf(rows: readonly Row[]): string {
  const lines = rows.map(({ one, byHand, held }) =>
    [
      "",
      `[${one.title}](#${slugOf(one.title)})`,
      shown(byHand.lost),
      shown(byHand.twice),
      shown(byHand.wrong),
      shown(held.lost),
      shown(held.twice),
      shown(held.wrong),
      shown(held.inDoubt),
      "",
    ]
      .join(" | ")
      .trim(),
  );
  return [
    "| break | by hand: lost | twice | wrong | Holdfast: lost | twice | wrong | in doubt |",
    "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ...lines,
  ].join("\n");
}

/** Of its heading in the page. */
function slugOf(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^\w\s-]/g, "")
    .replaceAll(" ", "-");
}

/** How many more than one depends on the machine, so the page does not say it. */
function shown(count: number): string {
  return count > 1 ? "several" : String(count);
}

/** Writes the table into the page, or compares. @returns the exit code */
export function writeTable(rows: readonly Row[], { isCheck }: { readonly isCheck: boolean }): 0 | 1 {
  const text = readFileSync(page, "utf8");
  const [before, rest] = [text.slice(0, text.indexOf(begin) + begin.length), text.slice(text.indexOf(end))];
  const next = `${before}\n${tableOf(rows)}\n${rest}`;
  if (next === text) return 0;
  if (!isCheck) writeFileSync(page, next);
  else console.error("docs/tour.md has another table: npm run tour writes it");
  return isCheck ? 1 : 0;
}
