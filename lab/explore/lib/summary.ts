import { markdownTable } from "../../../test/support/report.ts";
import { breaks } from "../mutants/reasons.ts";
import { type KeptMutant, type KeptScenario, readKept, readKeptMutants, withoutLine } from "./kept.ts";

/** For the laboratory's report. @param up the way from its page to docs/ */
export function exploredLine(up = ""): string {
  const { scenarios, walks, date } = readKept();
  // The wider bounds have the narrower ones' states, too.
  const farthest = new Map(
    [...scenarios].sort((a, b) => a.states - b.states).map((one) => [one.name, one] as const),
  );
  const total = (of: (one: KeptScenario) => number) =>
    [...farthest.values()].reduce((sum, one) => sum + of(one), 0);
  const whole = new Set(scenarios.filter(({ isWhole }) => isWhole).map(({ name }) => name));
  const cut = scenarios.filter(({ isWhole }) => !isWhole);
  const wider = cut.length === 0 ? "" : `; ${cut.length} within wider ones, not to their end`;
  const broken = scenarios.filter(({ violations }) => violations > 0).length + walks.violations;
  return [
    `**Every interleaving** ([how](${up}../lab/explore/README.md), ${date}): ${farthest.size} scenarios, ${total(({ states }) => states)} states, ${total(({ orders }) => orders)} orders of steps,`,
    `${broken === 0 ? "no promise broken" : `**${broken} promises broken**`}; ${whole.size} were followed to their end within the short form's bounds${wider}. ${walks.walks} random walks beyond their bounds.`,
    mutantsText(readKeptMutants(), up),
  ].join(" ");
}

const outcomes = ["killed", "equivalent", "tested", "unreached", "survived"] as const;

function countsOf(mutants: readonly KeptMutant[]): readonly number[] {
  return outcomes.map((outcome) => mutants.filter((one) => one.outcome === outcome).length);
}

function mutantsText(mutants: readonly KeptMutant[], up: string): string {
  const [killed, equivalent, tested, unreached = 0, survived = 0] = countsOf(mutants);
  const named = Object.entries(breaks).flatMap(([file, changes]) =>
    Object.keys(changes).map((change) => `${file} ${change}`),
  );
  const killedOnes = mutants.filter(({ outcome }) => outcome === "killed");
  const noticed = new Set(killedOnes.map(({ file, change }) => `${file} ${withoutLine(change)}`));
  // Some stand in two places of a file.
  const found = named.filter((change) => noticed.has(change));
  const others = named.length - found.length;
  return [
    `Of ${mutants.length} conditions and calls that were changed one at a time, ${killed} were noticed, ${equivalent} change nothing that is promised, ${tested} were noticed by a test, and ${unreached + survived} went unnoticed ([each](${up}mutants.json)).`,
    `Of ${named.length} mends and mechanisms among them, ${found.length} were noticed${others === 0 ? "" : `, and ${others} by a test alone`}.`,
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
    exploredLine("../"),
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
