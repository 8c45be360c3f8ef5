import { markdownTable } from "../../../test/support/report.ts";
import { breaks } from "../mutants/breaks.ts";
import { type KeptMutant, type KeptScenario, readKept, readKeptMutants } from "./kept.ts";

/** For the summary of the laboratory's report. */
export function exploredLine(): string {
  const { scenarios, walks, date } = readKept();
  const farthest = farthestOf(scenarios);
  const total = (of: (one: KeptScenario) => number) => farthest.reduce((sum, one) => sum + of(one), 0);
  const whole = new Set(scenarios.filter(({ isWhole }) => isWhole).map(({ name }) => name));
  const cut = scenarios.filter(({ isWhole }) => !isWhole);
  const wider = cut.length === 0 ? "" : `; ${cut.length} within wider ones, not to their end`;
  const broken = scenarios.filter(({ violations }) => violations > 0).length + walks.violations;
  return [
    `**Every interleaving** ([how](../lab/explore/README.md), ${date}): ${farthest.length} scenarios, ${total(({ states }) => states)} states, ${total(({ orders }) => orders)} orders of steps,`,
    `${broken === 0 ? "no promise broken" : `**${broken} promises broken**`}; ${whole.size} were followed to their end within the short form's bounds${wider}. ${walks.walks} random walks beyond their bounds.`,
    mutantsText(readKeptMutants()),
  ].join(" ");
}

/** Of each scenario what led to most states: the wider bounds have the narrower ones' states, too. */
function farthestOf(scenarios: readonly KeptScenario[]): KeptScenario[] {
  const farthest = new Map<string, KeptScenario>();
  for (const one of scenarios)
    if (one.states > (farthest.get(one.name)?.states ?? -1)) farthest.set(one.name, one);
  return [...farthest.values()];
}

const outcomes = ["killed", "equivalent", "unreached", "survived", "open"] as const;

function countsOf(mutants: readonly KeptMutant[]): readonly number[] {
  return outcomes.map((outcome) => mutants.filter((one) => one.outcome === outcome).length);
}

function mutantsText(mutants: readonly KeptMutant[]): string {
  if (mutants.length === 0) return "";
  const [killed, equivalent, unreached, survived, open = 0] = countsOf(mutants);
  const found = Object.values(breaks).filter(([file, was, becomes]) =>
    mutants.some(
      (one) => one.file === file && one.change.endsWith(` ${was} → ${becomes}`) && one.outcome === "killed",
    ),
  );
  return [
    `Of ${mutants.length} conditions and calls that were changed one at a time, ${killed} were noticed, ${equivalent} change nothing that is promised, ${unreached} are never otherwise in a scenario, and ${survived} went unnoticed${open === 0 ? "" : `; ${open} were not tried in all scenarios yet`} ([each](mutants.json)).`,
    `Of ${Object.keys(breaks).length} mends and mechanisms among them, ${found.length} were noticed.`,
  ].join(" ");
}

/** For the whole report. */
export function exploredSection(): string[] {
  const { scenarios } = readKept();
  const mutants = readKeptMutants();
  const files = [...new Set(mutants.map(({ file }) => file))];
  return [
    "## Every interleaving",
    "",
    exploredLine(),
    "",
    markdownTable({
      head: ["scenario", "faults", "time passes", "states", "orders", "steps", "seconds", "all", "broken"],
      rows: scenarios.map((one) => [
        ...[one.name, one.faults, one.jumps, one.states, one.orders, one.steps, one.seconds],
        one.isWhole ? "yes" : "no",
        one.violations,
      ]),
    }),
    "",
    markdownTable({
      head: ["file", ...outcomes],
      rows: files.map((file) => [file, ...countsOf(mutants.filter((one) => one.file === file))]),
    }),
    "",
    markdownTable({
      head: ["file", "change", "outcome", "why"],
      rows: mutants.map(({ file, change, outcome, why }) => [file, `\`${change}\``, outcome, why]),
    }),
    "",
  ];
}
