import { markdownTable } from "../../../test/support/report.ts";
import { type Kept, type KeptScenario, readKept } from "./kept.ts";

/** For the summary of the laboratory's report. */
export function exploredLine(kept: Kept = readKept()): string {
  const { scenarios, walks, mutants, breaks } = kept;
  const farthest = farthestOf(scenarios);
  const total = (of: (one: KeptScenario) => number) => farthest.reduce((sum, one) => sum + of(one), 0);
  const whole = new Set(scenarios.filter(({ isWhole }) => isWhole).map(({ name }) => name));
  const broken = scenarios.filter(({ violations }) => violations > 0).length + walks.violations;
  return [
    `**Every interleaving** ([how](../lab/explore/README.md), ${kept.date}): ${farthest.length} scenarios, ${total(({ states }) => states)} states, ${total(({ orders }) => orders)} orders of steps,`,
    `${broken === 0 ? "no promise broken" : `**${broken} promises broken**`}; ${whole.size} were followed to their end within the short form's bounds; within wider ones for ${most(scenarios)} s each, not to the end. ${walks.walks} random walks beyond their bounds.`,
    `Of ${breaks.of} mends and mechanisms that were removed one at a time, ${breaks.found} were noticed.${mutantsText(mutants)}`,
  ].join(" ");
}

/** Of each scenario what led to most states: the wider bounds have the narrower ones' states, too. */
function farthestOf(scenarios: readonly KeptScenario[]): KeptScenario[] {
  const farthest = new Map<string, KeptScenario>();
  for (const one of scenarios)
    if (one.states > (farthest.get(one.name)?.states ?? -1)) farthest.set(one.name, one);
  return [...farthest.values()];
}

function most(scenarios: Kept["scenarios"]): number {
  return Math.max(0, ...scenarios.filter(({ isWhole }) => !isWhole).map(({ seconds }) => seconds));
}

function mutantsText(mutants: Kept["mutants"]): string {
  if (mutants.length === 0) return "";
  const count = (what: "killed" | "equivalent" | "survived" | "unreached") =>
    mutants.reduce((sum, one) => sum + one[what], 0);
  const all = count("killed") + count("equivalent") + count("survived") + count("unreached");
  return ` Of ${all} changed conditions ${count("killed")} were noticed, ${count("equivalent")} change nothing that is promised, ${count("unreached")} are in code that no scenario reaches, and ${count("survived")} went unnoticed.`;
}

/** For the whole report. */
export function exploredSection(kept: Kept = readKept()): string[] {
  return [
    "## Every interleaving",
    "",
    exploredLine(kept),
    "",
    markdownTable({
      head: [
        "scenario",
        "faults",
        "time passes",
        "states",
        "orders",
        "steps",
        "seconds",
        "all of them",
        "promises broken",
      ],
      rows: kept.scenarios.map((one) => [
        one.name,
        one.faults,
        one.jumps,
        one.states,
        one.orders,
        one.steps,
        one.seconds,
        one.isWhole ? "yes" : "no",
        one.violations,
      ]),
    }),
    "",
    ...(kept.mutants.length === 0 ? [] : [mutantsTable(kept.mutants), ""]),
  ];
}

function mutantsTable(mutants: Kept["mutants"]): string {
  return markdownTable({
    head: ["file", "killed", "equivalent", "not reached", "survived"],
    rows: mutants.map((one) => [one.file, one.killed, one.equivalent, one.unreached, one.survived]),
  });
}
