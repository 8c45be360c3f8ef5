import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  factsLine,
  markdownTable,
  summaryHead,
  writeSummary,
  writeWhole,
} from "../../../../test/support/report.ts";
import type { Result } from "../result.ts";
import { comparison, growthSummary, growthTable, shortComparison, spendingTable } from "./comparison.ts";
import { growthChart } from "./growth-chart.ts";
import { ratioChart } from "./ratio-chart.ts";

export interface Run {
  /** Where, when and on what was measured. */
  readonly facts: Readonly<Record<string, string>>;
  readonly minutes: number;
  /** In the order of the rows. */
  readonly results: readonly Result[];
}

/** Writes the summary, all results and the charts to docs/, and the whole report to docs/whole/. */
export function publish(run: Run): void {
  const growth = run.results.filter(({ row }) => row.growth !== undefined);
  const compared = run.results.filter(({ row }) => row.growth === undefined);
  writeSummary("PERFORMANCE", summary(run, compared, growth));
  writeWhole("PERFORMANCE", [whole(run, compared, growth)]);
  write("performance.json", json(run));
  write("performance.svg", ratioChart(compared));
  write("performance-growth.svg", growthChart(growth));
}

/** All results, round by round. */
export function json({ facts, minutes, results }: Run): string {
  const rows = results.map(({ row, ...measured }) => {
    const { name, title, unit, better, reach, note } = row;
    return { name, title, unit, better, reach, note, ...measured };
  });
  return `${JSON.stringify({ facts, minutes, rows }, undefined, 2)}\n`;
}

const TITLE = "Performance: Holdfast against its opponents";

function summary({ facts, minutes }: Run, compared: readonly Result[], growth: readonly Result[]): string[] {
  return [
    ...summaryHead(TITLE, "npm run bench", "PERFORMANCE", "lab/bench/README.md"),
    headline(minutes, compared),
    "",
    "![Holdfast's ratio to its opponents](performance.svg)",
    "",
    factsLine(facts),
    "",
    "## The comparison",
    "",
    "Medians over all rounds; the ratio also with its minimum and maximum.",
    "",
    markdownTable(shortComparison(compared)),
    "",
    "## Growth",
    "",
    "Holdfast with more and more waiting jobs.",
    "",
    "![Holdfast at growing numbers of waiting jobs](performance-growth.svg)",
    "",
    markdownTable(growthSummary(growth)),
  ];
}

function headline(minutes: number, compared: readonly Result[]): string {
  const judged = compared.filter(({ row }) => row.reach !== undefined);
  const reached = judged.filter(({ verdict }) => verdict === "reached");
  return `**${reached.length} of ${judged.length} goals reached, in ${minutes} minutes.** Ratios are Holdfast's value to the opponent's, both measured in turn on the
same machine, on Redis at the same durability. Ratios carry over to other machines better than values.`;
}

function whole({ facts, minutes }: Run, compared: readonly Result[], growth: readonly Result[]): string {
  const notes = compared.flatMap(({ row }) =>
    row.note === undefined ? [] : [`- ${row.title}: ${row.note}.`],
  );
  return `# ${TITLE}

Written by \`npm run bench\`; do not edit by hand. \`lab/bench/README.md\` says how it is measured.

${headline(minutes, compared)}

![Holdfast's ratio to its opponents](../performance.svg)

${markdownTable({ head: ["", ""], rows: Object.entries(facts) })}

## The comparison

Medians over all rounds, with minimum and maximum; times are the medians of the rounds' percentiles.

${markdownTable(comparison(compared, ({ row }) => row.title))}

${notes.join("\n")}

## Where the time goes

Of one job, in microseconds: on the clock, on a processor in the measured process, and while Redis was busy, its
waits for the disk included. If Redis is busy all the time, only less work for Redis makes it faster;
[What limits it](../../lab/bench/README.md#what-limits-it) reads these numbers.

${markdownTable(spendingTable(compared))}

## Growth

Holdfast with more and more waiting jobs.

![Holdfast at growing numbers of waiting jobs](../performance-growth.svg)

${markdownTable(growthTable(growth))}
`;
}

function write(name: string, content: string): void {
  writeFileSync(fileURLToPath(new URL(`../../../../docs/${name}`, import.meta.url)), content);
}
