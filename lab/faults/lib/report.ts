import {
  commonFacts,
  factsLine,
  markdownTable,
  plainTable,
  summaryHead,
  writeSummary,
  writeWhole,
} from "../../../test/support/report.ts";
import { exploredLine, exploredSection } from "../../explore/lib/summary.ts";
import type { Counts } from "./checker.ts";
import { type Experiment, hasHeld, type Outcome, sum } from "./experiment.ts";
import type { Result } from "./kept-results.ts";

/** A result, with the experiment that it is of. */
interface Shown extends Result {
  readonly experiment: Experiment;
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

const TITLE = "Reliability: attempts to break Holdfast, and their results";

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

/** Leaves out the results of experiments that no longer exist. @param isRecorded whether the summary is written as well */
export function writeReport(
  results: readonly Result[],
  experiments: readonly Experiment[],
  isRecorded: boolean,
): void {
  const shown = experiments.flatMap((experiment) => {
    return results
      .filter(({ number }) => number === experiment.number)
      .map((result) => ({ ...result, experiment }));
  });
  const onRedis = new Set(shown.filter(({ store }) => store === undefined).map(({ number }) => number));
  const missing = experiments.filter(({ number }) => !onRedis.has(number));
  writeWhole("RELIABILITY", whole(shown, missing));
  if (isRecorded) writeSummary("RELIABILITY", summary(shown, missing));
}

function summary(finished: readonly Shown[], missing: readonly Experiment[]): string[] {
  const total = sum(finished.map(({ outcome }) => outcome.counts));
  const zeros = columns.filter(([kind]) => bounded.has(kind)).map(([kind, name]) => `${name} ${total[kind]}`);
  return [
    ...summaryHead(TITLE, "npm run faults", "RELIABILITY", "lab/faults/README.md"),
    headline(finished),
    "",
    `These counts must be zero: ${zeros.join(", ")}. A count of zero bounds the true rate with 95 % confidence: below ${bound(0, total.faults)} per fault.`,
    `In doubt were ${total.doubtDone} effects that were done, and ${total.doubtNotDone} that were not.`,
    "",
    `${runs(finished)
      .map(([run, numbers]) => `Experiments ${numbers}: ${run}.`)
      .join(" ")}${withoutResult(missing)}`,
    factsLine(commonFacts()),
    "",
    exploredLine(),
    "",
    "Only faults that really happened are counted: a process killed or paused, an answer cut off, an outage, a restart, a storm. A control is the",
    "same run with one protection removed: there the checks must fail.",
    "",
    markdownTable({
      head: ["", "experiment", "faults", "jobs", "found against it", "controls caught"],
      rows: finished.map(({ outcome: { counts, broken, controls }, ...shown }) => [
        shown.number,
        titleOf(shown),
        counts.faults,
        counts.acknowledged,
        broken.length === 0 ? "nothing" : `**${broken.length}**`,
        controls.length === 0
          ? "–"
          : `${controls.filter(({ isCaught }) => isCaught).length} of ${controls.length}`,
      ]),
    }),
  ];
}

function titleOf({ experiment, store }: Pick<Shown, "experiment" | "store">): string {
  return store === undefined ? experiment.title : `${experiment.title}, on Valkey`;
}

/** In columns. */
function nameOf({ number, store }: Pick<Shown, "number" | "store">): string {
  return store === undefined ? String(number) : `${number} on Valkey`;
}

function withoutResult(missing: readonly Experiment[]): string {
  return missing.length === 0 ? "" : ` Without a result: ${missing.map(({ number }) => number).join(", ")}.`;
}

function headline(finished: readonly Shown[]): string {
  const total = sum(finished.map(({ outcome }) => outcome.counts));
  const held = finished.every(({ outcome }) => hasHeld(outcome));
  const controls = finished.flatMap(({ outcome }) => outcome.controls);
  const caught = controls.filter(({ isCaught }) => isCaught).length;
  const verdict = held ? "every guarantee held" : "NOT every guarantee held";
  return `**${total.acknowledged} jobs, ${total.faults} injected faults: ${verdict}, and ${caught} of ${controls.length} positive controls were caught.**`;
}

function whole(finished: readonly Shown[], missing: readonly Experiment[]): string[] {
  const total = sum(finished.map(({ outcome }) => outcome.counts));
  return [
    `# ${TITLE}`,
    "",
    "Written by `npm run faults`; do not edit by hand. `lab/faults/README.md` says how it is measured.",
    "",
    headline(finished),
    "",
    "A run of some experiments replaces only their results, so this page can have results of several days:",
    "",
    markdownTable({ head: ["run", "experiments"], rows: runs(finished) }),
    "",
    ...(missing.length === 0 ? [] : [withoutResult(missing).trim(), ""]),
    "The latest run was on:",
    "",
    markdownTable({ head: ["", ""], rows: Object.entries(commonFacts()) }),
    "",
    "## All counts",
    "",
    "N counts faults that really happened: a process killed or paused, an answer cut off, an outage, a restart, a",
    "storm. If nothing was found, the true rate is below 3/N per fault with 95 % confidence.",
    "",
    markdownTable({
      head: ["", ...finished.map(nameOf), "all", "95 % bound per fault"],
      rows: columns.map(([kind, name]) => [
        name,
        ...finished.map(({ outcome }) => outcome.counts[kind]),
        total[kind],
        bounded.has(kind) ? bound(total[kind], total.faults) : "",
      ]),
    }),
    "",
    ...finished.flatMap(section),
    ...exploredSection(),
    "## Positive controls",
    "",
    "The same runs on a copy of the build, or of Redis's settings, with one protection removed. A checker that cannot",
    "fail proves nothing.",
    "",
    markdownTable({
      head: ["experiment", "without", "seen", "caught"],
      rows: finished.flatMap(({ outcome, ...shown }) =>
        outcome.controls.map(({ protection, seen, isCaught }) => [
          nameOf(shown),
          protection,
          seen,
          isCaught ? "yes" : "**no**",
        ]),
      ),
    }),
  ];
}

/** When, in which form and with which seed each experiment was run. */
function runs(finished: readonly Shown[]): string[][] {
  const byRun = new Map<string, number[]>();
  for (const { date, form, seed, number, store } of finished) {
    const run = `${date}, ${form} form, seed ${seed}${store === undefined ? "" : `, ${store}`}`;
    byRun.set(run, [...(byRun.get(run) ?? []), number]);
  }
  return [...byRun].map(([run, numbers]) => [run, numbers.join(", ")]);
}

function section({ form, outcome, seconds, ...shown }: Shown): string[] {
  const { experiment } = shown;
  const { counts, table, measured, broken } = outcome;
  return [
    `## ${experiment.number}. ${titleOf(shown)}`,
    "",
    `- Fault: ${experiment.fault}`,
    `- Must hold: ${experiment.mustHold}`,
    `- Found: ${broken.length === 0 ? `nothing against it in ${counts.faults} faults (below ${bound(0, counts.faults)} per fault)` : "**broken**, see below"}`,
    `- Jobs: ${counts.acknowledged}; time: ${Math.round(seconds)} s${form === "full" ? "" : "; short form"}`,
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
