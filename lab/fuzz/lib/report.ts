import {
  commonFacts,
  factsLine,
  markdownTable,
  plainTable,
  summaryHead,
  type Table,
  versionOf,
  writeSummary,
  writeWhole,
} from "../../../test/support/report.ts";
import { groupBy } from "../../lib/group-by.ts";
import type { Service } from "./service.ts";
import { codesOf, type Finding, type Tally } from "./tally.ts";

/** The outcome of a whole run. */
export interface Outcome {
  readonly seed: number;
  readonly form: string;
  readonly catalogue: readonly Tally[];
  readonly operations: readonly Tally[];
  /** Of each route: how much memory grew, and how long liveness took. */
  readonly worst: readonly Tally[];
  readonly findings: readonly Finding[];
  readonly lost: readonly string[];
  readonly memory: ReturnType<Service["memory"]>;
}

export function hasHeld({ findings, lost }: Outcome): boolean {
  return findings.length + lost.length === 0;
}

export function printOutcome(outcome: Outcome): void {
  const { seed, findings, lost } = outcome;
  const shown = findings
    .slice(0, 20)
    .map(({ kind, what, request }) => `FOUND: ${kind}: ${what}\n    ${request}`);
  const lines = [
    plainTable(table(outcome.catalogue, true)),
    "",
    plainTable(table(outcome.operations, false)),
    "",
    plainTable(worstTable(outcome.worst)),
    "",
    ...shown,
    ...(findings.length > shown.length ? [`… and ${findings.length - shown.length} more`] : []),
    ...lost.map((what) => `LOST: ${what}`),
    memoryOf(outcome),
    verdict(outcome),
    ...(hasHeld(outcome) ? [] : [`replay: npm run fuzz -- --seed ${seed}`]),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

const TITLE = "Hostile input: what was sent, and how it was answered";

/** @param isRecorded whether the summary is written as well */
export function writeReport(outcome: Outcome, isRecorded: boolean): void {
  writeWhole("HOSTILE-INPUT", whole(outcome));
  if (isRecorded) writeSummary("HOSTILE-INPUT", summary(outcome));
}

function summary(outcome: Outcome): string[] {
  const { operations, worst } = outcome;
  return [
    ...summaryHead(TITLE, "npm run fuzz", "HOSTILE-INPUT", "lab/fuzz/README.md"),
    `**${verdict(outcome)}**`,
    "",
    factsLine(factsOf(outcome)),
    memoryOf(outcome),
    "",
    "## The catalogue of bad input",
    "",
    "Each of these must be answered with 4xx and a stable code, and store nothing.",
    "",
    markdownTable(groupsTable(outcome.catalogue)),
    "",
    "A batch counts its jobs. Slow requests are sent beside good ones, so what they store cannot be counted: –.",
    "",
    "## Requests made from the OpenAPI document",
    "",
    `${sumOf(operations)} requests to ${operations.length} operations: as the document describes them, almost so, and damaged. They may be accepted; none may be`,
    `answered with 5xx, without a known code, or not at all. The slowest answer took ${slowestOf(operations)}.`,
    "",
    "## A connection's worst",
    "",
    `Each of ${worst.length} routes 2,000 times on one connection, which reads for a while, then no more, and is reset. Meanwhile liveness took at most`,
    `${slowestOf(worst)}; the limit is 500 ms. The API's memory may grow by 64 MiB, and no subscriber may be left after 5 s.`,
    ...findingsOf(outcome),
  ];
}

/** One line for each group of kinds. */
function groupsTable(tallies: readonly Tally[]): Table {
  return {
    head: ["bad input", "kinds", "tried", "stored", "slowest"],
    rows: [...groupBy(tallies, ({ group }) => group)].map(([group, own]) => [
      group,
      own.map(({ kind }) => kind).join("; "),
      sumOf(own),
      own.every(({ stored }) => stored === undefined) ? "–" : storedOf(own),
      slowestOf(own),
    ]),
  };
}

function sumOf(tallies: readonly Tally[]): number {
  return tallies.reduce((all, { tried }) => all + tried, 0);
}

function storedOf(tallies: readonly Tally[]): number {
  return tallies.reduce((all, { stored = 0 }) => all + stored, 0);
}

function slowestOf(tallies: readonly Tally[]): string {
  return `${Math.round(Math.max(0, ...tallies.map(({ slowestMs }) => slowestMs)))} ms`;
}

function factsOf({ seed, form }: Outcome): Record<string, string | number> {
  return { ...commonFacts(), "fast-check": versionOf("fast-check"), seed, form };
}

function findingsOf({ findings }: Outcome): string[] {
  return findings.map(({ kind, what, request }) => `\n- **Found**: ${kind}: ${what}: ${request}`);
}

function whole(outcome: Outcome): string[] {
  return [
    `# ${TITLE}`,
    "",
    "Written by `npm run fuzz`; do not edit by hand. `lab/fuzz/README.md` says how it is measured.",
    "",
    `**${verdict(outcome)}**`,
    "",
    markdownTable({ head: ["", ""], rows: Object.entries(factsOf(outcome)) }),
    "",
    memoryOf(outcome),
    "",
    "## The catalogue of bad input",
    "",
    "Each of these must be answered with 4xx and a stable code, and store nothing. *Slowest* is the longest time to an",
    "answer; for slow requests that is the limit of ten seconds, which is checked once a second.",
    "",
    markdownTable(table(outcome.catalogue, true)),
    "",
    "`hung up` is allowed if half a request is followed by the end of the connection, so that nobody waits for an answer.",
    "Each job of a batch counts. Slow requests are sent beside good ones, so what they store cannot be counted: –.",
    "",
    "## Requests made from the OpenAPI document",
    "",
    "As each operation describes them, almost so, and damaged. They may be accepted; none may be answered with 5xx, without a",
    "known code, or not at all.",
    "",
    markdownTable(table(outcome.operations, false)),
    "",
    "## A connection's worst",
    "",
    "Each route 2,000 times on one connection, which reads for a while, then no more, and is reset. Meanwhile the API's memory may grow by 64 MiB and",
    "its liveness may take 500 ms; no subscriber may be left after 5 s.",
    "",
    markdownTable(worstTable(outcome.worst)),
    ...findingsOf(outcome),
  ];
}

function verdict({ catalogue, operations, worst, findings, lost }: Outcome): string {
  return (
    `${sumOf(catalogue)} bad inputs of ${catalogue.length} kinds: ${storedOf(catalogue)} stored; ${sumOf(operations)} requests made from the ` +
    `OpenAPI document; ${worst.length} routes at a connection's worst; ${lost.length} processes lost; ${findings.length === 0 ? "nothing" : findings.length} found against it.`
  );
}

function memoryOf({ memory: { start, peak, now } }: Outcome): string {
  const mib = (value: number) => `${Math.round(value)} MiB`;
  return `Memory of the API process: ${mib(start)} at the start, ${mib(peak)} at most, ${mib(now)} at the end.`;
}

function worstTable(tallies: readonly Tally[]): Table {
  return {
    head: ["2,000 times", "memory", "liveness, at most"],
    rows: tallies.map((tally) => [
      tally.kind,
      [...tally.codes.keys()].join(", "),
      `${Math.round(tally.slowestMs)} ms`,
    ]),
  };
}

function table(tallies: readonly Tally[], isCatalogue: boolean): Table {
  return {
    head: [
      ...(isCatalogue ? ["", "bad input"] : ["operation"]),
      "tried",
      "answers",
      ...(isCatalogue ? ["stored"] : []),
      "slowest",
    ],
    rows: tallies.map((tally) => [
      ...(isCatalogue ? [tally.group, tally.kind] : [tally.kind]),
      tally.tried,
      codesOf(tally),
      ...(isCatalogue ? [tally.stored ?? "–"] : []),
      `${Math.round(tally.slowestMs)} ms`,
    ]),
  };
}
