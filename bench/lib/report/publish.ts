import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { markdownTable } from "../../../test/support/report.ts";
import type { Result } from "../result.ts";
import { comparison, growthTable, spendingTable } from "./comparison.ts";
import { growthChart } from "./growth-chart.ts";
import { ratioChart } from "./ratio-chart.ts";

export interface Run {
  /** Where, when and on what was measured. */
  readonly facts: Readonly<Record<string, string>>;
  readonly minutes: number;
  /** In the order of the rows. */
  readonly results: readonly Result[];
}

/** Writes the report, all that was measured, and the charts into docs/. */
export function publish(run: Run): void {
  const growth = run.results.filter(({ row }) => row.growth !== undefined);
  const compared = run.results.filter(({ row }) => row.growth === undefined);
  write("PERFORMANCE.md", report(run, compared, growth));
  write("performance.json", json(run));
  write("performance.svg", ratioChart(compared));
  write("performance-growth.svg", growthChart(growth));
}

/** All that was measured, each round by itself. */
export function json({ facts, minutes, results }: Run): string {
  const rows = results.map(({ row, ...measured }) => {
    const { name, title, unit, better, reach, note } = row;
    return { name, title, unit, better, reach, note, ...measured };
  });
  return `${JSON.stringify({ facts, minutes, rows }, undefined, 2)}\n`;
}

function report({ facts, minutes }: Run, compared: readonly Result[], growth: readonly Result[]): string {
  const judged = compared.filter(({ row }) => row.reach !== undefined);
  const reached = judged.filter(({ verdict }) => verdict === "reached");
  const notes = compared.flatMap(({ row }) =>
    row.note === undefined ? [] : [`- ${row.title}: ${row.note}.`],
  );
  return `# Performance: Holdfast against its opponents

Written by \`npm run bench\`; do not edit by hand. \`bench/README.md\` tells how it is measured.

**${reached.length} of ${judged.length} goals reached, in ${minutes} minutes.** Ratios are Holdfast's value to the opponent's, both measured in turn on the
same machine, on a store at the same durability. They carry over to other machines better than the values do.

![Holdfast's ratio to its opponents](performance.svg)

${markdownTable({ head: ["", ""], rows: Object.entries(facts) })}

## The comparison

Medians over all rounds, with the least and the most; times are the medians of the rounds' percentiles.

${markdownTable(comparison(compared, ({ row }) => row.title))}

${notes.join("\n")}

## Where the time goes

Of one job, in microseconds: of the clock, of a processor in the measured process, and for which the store was busy, its
waiting for the disk included. Where the store is busy all the time, nothing but less work for the store makes it faster;
[what stands in the way](../bench/README.md#what-stands-in-the-way) reads these numbers.

${markdownTable(spendingTable(compared))}

## Growth

The same of Holdfast's at more and more waiting jobs.

![Holdfast at growing numbers of waiting jobs](performance-growth.svg)

${markdownTable(growthTable(growth))}
`;
}

function write(name: string, content: string): void {
  writeFileSync(fileURLToPath(new URL(`../../../docs/${name}`, import.meta.url)), content);
}
