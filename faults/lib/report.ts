import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { commonFacts, markdownTable, plainTable } from "../../test/support/report.ts";
import type { Counts } from "./checker.ts";
import { type Experiment, hasHeld, type Outcome, sum } from "./experiment.ts";

export interface Finished {
  readonly experiment: Experiment;
  readonly outcome: Outcome;
  readonly seconds: number;
}

export function printOutcome(experiment: Experiment, outcome: Outcome, seed: number): void {
  const { counts, table, measured, broken, controls } = outcome;
  const found = Object.entries(counts).filter(([, count]) => count > 0);
  const lines = [
    found.map(([kind, count]) => `${kind} ${count}`).join(", "),
    ...(table === undefined ? [] : plainTable(table).split("\n")),
    ...measured,
    ...controls.map(
      ({ protection, isCaught, seen }) =>
        `control without ${protection}: ${isCaught ? "caught" : "NOT CAUGHT"} (${seen})`,
    ),
    ...broken.map((what) => `BROKEN: ${what}`),
    ...(hasHeld(outcome) ? [] : [`replay: npm run faults -- --only ${experiment.number} --seed ${seed}`]),
  ];
  process.stdout.write(`${lines.map((line) => `    ${line}`).join("\n")}\n`);
}

/** The counts in the report, and their names. */
const columns: readonly [keyof Counts, string][] = [
  ["faults", "faults (N)"],
  ["acknowledged", "acknowledged"],
  ["lost", "lost"],
  ["recovered", "recovered after an unknown answer"],
  ["repeated", "effects repeated"],
  ["falselyDone", "falsely done"],
  ["doubtDone", "in doubt, was done"],
  ["doubtNotDone", "in doubt, was not"],
  ["unexplained", "doubts unexplained"],
  ["concealed", "doubts concealed"],
  ["refused", "zombie steps refused"],
  ["failed", "failed otherwise"],
  ["notEnded", "not ended"],
  ["stuck", "doubts stuck"],
];

export function writeReport(finished: readonly Finished[], seed: number): void {
  const file = fileURLToPath(new URL("../../docs/RELIABILITY.md", import.meta.url));
  writeFileSync(file, `${report(finished, seed)}\n`);
}

function report(finished: readonly Finished[], seed: number): string {
  const total = sum(finished.map(({ outcome }) => outcome.counts));
  const held = finished.every(({ outcome }) => hasHeld(outcome));
  const controls = finished.flatMap(({ outcome }) => outcome.controls);
  const caught = controls.filter(({ isCaught }) => isCaught).length;
  // Experiments run side by side, so this is the time of the whole process.
  const minutes = Math.round(process.uptime() / 60);
  return [
    "# Reliability: attempts to break Holdfast, and their results",
    "",
    "Written by `npm run faults`; do not edit by hand. `faults/README.md` says how it is measured.",
    "",
    `**${total.acknowledged} jobs, ${total.faults} injected faults, ${minutes} minutes: ` +
      `${held ? "every guarantee held" : "NOT every guarantee held"}, and ${caught} of ${controls.length} positive controls were caught.**`,
    "",
    markdownTable({ head: ["", ""], rows: Object.entries({ ...commonFacts(), seed }) }),
    "",
    "## All counts",
    "",
    "N counts faults that really happened: a process killed or paused, an answer cut off, an outage, a restart, a",
    "storm. If nothing was found, the true rate is below 3/N per fault with 95 % confidence.",
    "",
    markdownTable({
      head: [
        "",
        ...finished.map(({ experiment }) => String(experiment.number)),
        "all",
        "95 % bound per fault",
      ],
      rows: columns.map(([kind, name]) => [
        name,
        ...finished.map(({ outcome }) => outcome.counts[kind]),
        total[kind],
        bounded.has(kind) ? bound(total[kind], total.faults) : "",
      ]),
    }),
    "",
    ...finished.flatMap(section),
    "## Positive controls",
    "",
    "The same runs on a copy of the build, or of Redis's settings, with one protection removed. A checker that cannot",
    "fail proves nothing.",
    "",
    markdownTable({
      head: ["experiment", "without", "seen", "caught"],
      rows: finished.flatMap(({ experiment, outcome }) =>
        outcome.controls.map(({ protection, seen, isCaught }) => [
          experiment.number,
          protection,
          seen,
          isCaught ? "yes" : "**no**",
        ]),
      ),
    }),
  ].join("\n");
}

function section({ experiment, outcome, seconds }: Finished): string[] {
  const { counts, table, measured, broken } = outcome;
  return [
    `## ${experiment.number}. ${experiment.title}`,
    "",
    `- Fault: ${experiment.fault}`,
    `- Must hold: ${experiment.mustHold}`,
    `- Found: ${broken.length === 0 ? `nothing against it in ${counts.faults} faults (below ${bound(0, counts.faults)} per fault)` : "**broken**, see below"}`,
    `- Jobs: ${counts.acknowledged}; time: ${Math.round(seconds)} s`,
    ...measured.map((sentence) => `- ${sentence[0]?.toUpperCase()}${sentence.slice(1)}`),
    ...broken.map((what) => `- **Broken**: ${what}`),
    "",
    ...(table === undefined ? [] : [markdownTable(table), ""]),
  ];
}

/** Counts that must be zero. */
const bounded: ReadonlySet<keyof Counts> = new Set([
  "lost",
  "repeated",
  "falselyDone",
  "unexplained",
  "concealed",
  "failed",
  "notEnded",
  "stuck",
]);

/** The rule of three. */
function bound(found: number, trials: number): string {
  if (found > 0 || trials === 0) return "–";
  return `${((3 / trials) * 100).toPrecision(2)} %`;
}
