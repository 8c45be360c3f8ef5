import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { commonFacts, markdownTable, plainTable, type Table } from "../../../test/support/report.ts";
import { number } from "../../lib/numbers.ts";
import { soakChart } from "./chart.ts";
import { counted, type Tally } from "./tally.ts";
import { GROWTH_MAX, type Trend } from "./trend.ts";

export interface Soak {
  readonly minutes: number;
  /** Jobs submitted a second. */
  readonly rate: number;
  readonly retentionMs: number;
  readonly sampleMs: number;
  readonly tally: Tally;
  /** Ticks of the schedule, each enqueued once. */
  readonly ticks: number;
  readonly trends: readonly Trend[];
  /** Whether the run was long enough to judge its second half. */
  readonly isJudged: boolean;
}

export function hasHeld({ tally, trends, isJudged }: Soak): boolean {
  return tally.faultCount === 0 && (!isJudged || trends.every(({ isLevel }) => isLevel));
}

export function printSoak(soak: Soak): void {
  const { tally, isJudged } = soak;
  const lines = [
    "",
    plainTable(trendTable(soak)),
    "",
    plainTable(countTable(soak)),
    ...tally.faults.map((what) => `WRONG: ${what}`),
    ...(tally.faultCount > tally.faults.length
      ? [`… and ${tally.faultCount - tally.faults.length} more`]
      : []),
    ...(isJudged ? [] : ["Too short to judge whether anything grows; the counts are still checked."]),
    verdict(soak),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

/** Writes the report and its chart. */
export function writeSoak(soak: Soak, directory: string): void {
  writeFileSync(join(directory, "SOAK.md"), report(soak));
  writeFileSync(join(directory, "soak.svg"), soakChart(soak.trends.map(({ series }) => series)));
}

function verdict(soak: Soak): string {
  const { tally, trends, isJudged, minutes } = soak;
  const grown = isJudged ? trends.filter(({ isLevel }) => !isLevel) : [];
  const levels = isJudged ? `${trends.length - grown.length} of ${trends.length} quantities level, ` : "";
  return `${hasHeld(soak) ? "Held" : "NOT held"}: ${minutes} min, ${levels}${number(tally.counts.submitted)} jobs, ${tally.faultCount} faults.`;
}

function trendTable({ trends, isJudged }: Soak): Table {
  return {
    head: ["", "of", "early", "second half", "grew there", "allowed", "verdict"],
    rows: trends.map(({ series: { quantity, owner }, early, level, growth, allowed, isLevel }) => {
      const withUnit = (value: number) =>
        `${number(value)}${quantity.unit === "" ? "" : ` ${quantity.unit}`}`;
      const word = isLevel ? "level" : "GROWS";
      return [
        quantity.name,
        owner,
        withUnit(early),
        withUnit(level),
        withUnit(growth),
        withUnit(allowed),
        isJudged ? word : "",
      ];
    }),
  };
}

function countTable({ tally, ticks }: Soak): Table {
  const rows = Object.entries(tally.counts).map(([name, count]) => [
    counted[name as keyof typeof counted],
    count,
  ]);
  return {
    head: ["", "count"],
    rows: [...rows, ["ticks of the schedule, each once", ticks]] as Table["rows"],
  };
}

function report(soak: Soak): string {
  const { rate, retentionMs, sampleMs } = soak;
  const facts = {
    ...commonFacts(),
    load: `${rate} jobs a second, of seven types`,
    retention: `${number(retentionMs / 1_000)} s`,
    sampled: `every ${number(sampleMs / 1_000)} s`,
  };
  return `# Soak: does anything grow?

Written by \`npm run soak\`; do not edit by hand. \`lab/soak/README.md\` says how it is measured.

**${verdict(soak)}**

![Memory, handles, lag and Redis's size through the run](soak.svg)

${markdownTable({ head: ["", ""], rows: Object.entries(facts) })}

## Levels

A line is fitted to the second half of the run (the median of all pairs' slopes). Its growth over that half must stay within
${GROWTH_MAX * 100} % of the level, or within an amount too small to matter; *allowed* is the larger of the two.

${markdownTable(trendTable(soak))}

## Counts

Each job was followed to its end, by reads, by reads that wait, or by a stream of events. Each ended as its type must, each
effect happened once, and each second had one tick.

${markdownTable(countTable(soak))}
`;
}
