import { markdownTable } from "../../../test/support/report.ts";
import { type Kept, readKept } from "./kept.ts";

/** For the summary of the laboratory's report. */
export function exploredLine(kept: Kept = readKept()): string {
  const { scenarios, walks, mutants, breaks } = kept;
  const total = (of: (one: Kept["scenarios"][number]) => number) =>
    scenarios.reduce((sum, one) => sum + of(one), 0);
  const count = (what: "killed" | "equivalent" | "survived" | "unreached") =>
    mutants.reduce((sum, one) => sum + one[what], 0);
  const whole = scenarios.filter(({ isWhole }) => isWhole).length;
  const broken = total(({ violations }) => violations) + walks.violations;
  return [
    `**Every interleaving** ([how](../lab/explore/README.md), ${kept.date}): ${scenarios.length} scenarios, ${total(({ states }) => states)} states, ${total(({ orders }) => orders)} orders of steps,`,
    `${broken === 0 ? "no promise broken" : `**${broken} promises broken**`}; ${whole} of the scenarios to their end. ${walks.walks} random walks beyond their bounds. Of ${count("killed") + count("equivalent") + count("survived") + count("unreached")} changed conditions`,
    `${count("killed")} were noticed, ${count("equivalent")} change nothing that is promised, ${count("unreached")} are in code that no scenario reaches, ${count("survived")} went unnoticed; of ${breaks.of} mends that were removed, ${breaks.found} were missed.`,
  ].join(" ");
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
    markdownTable({
      head: ["file", "killed", "equivalent", "not reached", "survived"],
      rows: kept.mutants.map((one) => [one.file, one.killed, one.equivalent, one.unreached, one.survived]),
    }),
    "",
  ];
}
