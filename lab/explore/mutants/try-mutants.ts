import { say } from "../../../test/support/command.ts";
import { createRandom } from "../../../test/support/random.ts";
import { explore, Graph, repeat } from "../lib/explorer.ts";
import type { KeptMutant } from "../lib/kept.ts";
import type { Laboratory } from "../lib/run.ts";
import { stories } from "../stories.ts";
import { breaks } from "./breaks.ts";
import { differsAt, mutation } from "./mutation.ts";
import type { Mutant } from "./places.ts";
import { reasonFor } from "./reasons.ts";

/**
 * Killed: some order breaks a promise. Survived: none does. Same: not even what Redis has, or what anybody is told, differs in any order.
 * Unreached: its condition was never otherwise.
 */
type Outcome = "killed" | "survived" | "same" | "unreached";

/**
 * Explores each scenario's quick form with each mutant, where it can matter.
 *
 * @param keep called after each scenario with what is known by then
 */
export async function tryMutants(
  open: () => AsyncIterable<Laboratory>,
  files: readonly string[],
  keep: (rows: readonly KeptMutant[]) => void,
): Promise<readonly KeptMutant[]> {
  const isChosen = ({ file }: Mutant) => files.length === 0 || files.some((one) => file.endsWith(one));
  const rows = new Map(
    mutation.all.filter(isChosen).map((mutant) => [mutant, rowOf(mutant, "unreached", "")] as const),
  );
  for await (const lab of open()) {
    const { name, quick } = lab.scenario;
    const graph = new Graph();
    const plain = await explore(lab, { bounds: quick, graph });
    const told = await tellStories(lab);
    const broken = plain.violation?.what ?? told.broken;
    if (broken !== undefined) throw new Error(`without a mutant: ${broken}`);
    await tryLeft(rows, lab, { graph, inStories: told.noted });
    const left = [...rows.values()].filter(({ outcome }) => outcome !== "killed");
    say(`${name}: ${left.length} of ${rows.size} mutants are left`);
    keep([...rows.values()]);
  }
  return [...rows.values()];
}

let escaped: unknown;
process.on("unhandledRejection", (error) => {
  escaped ??= error;
});

/** Of the states that are other with a mutant so many are followed, in orders that are chosen at random; of one with a name all. */
const MOST = 200;

/** Tries those that no scenario has killed before. */
async function tryLeft(rows: Map<Mutant, KeptMutant>, lab: Laboratory, noted: Noted): Promise<void> {
  for (const [mutant, { outcome: was }] of rows) {
    if (was === "killed") continue;
    const [outcome, by] = await tryOne(lab, noted, mutant);
    const row = rowOf(mutant, outcome, `${lab.scenario.name}: ${by}`);
    if (outcome === "killed") say(`killed ${row.file}:${row.change} ${row.why}`);
    if (outcome === "killed" || (outcome !== "unreached" && was !== "survived")) rows.set(mutant, row);
  }
}

interface Noted {
  readonly graph: Graph;
  readonly inStories: ReadonlySet<string>;
}

async function tryOne(
  lab: Laboratory,
  { graph, inStories }: Noted,
  mutant: Mutant,
): Promise<[Outcome, string]> {
  const bounds = lab.scenario.quick;
  const most = { states: MOST, random: createRandom(1) };
  const plan = { bounds, graph, mutant, ...(!isBreak(mutant) && { most }) };
  escaped = undefined;
  try {
    const { violation, states, ends } = await explore(lab, plan);
    if (violation !== undefined) return ["killed", violation.what];
    const { broken } = inStories.has(differsAt(mutant)) ? await tellStories(lab, mutant) : {};
    if (broken !== undefined) return ["killed", broken];
    if (escaped !== undefined) throw escaped;
    if (states + ends > 0) return ["survived", ""];
    return graph.noted.has(differsAt(mutant)) ? ["same", ""] : ["unreached", ""];
  } catch (error) {
    return ["killed", `the code fails: ${error instanceof Error ? error.message : String(error)}`];
  }
}

/** @returns what is broken, and what conditions were */
async function tellStories(
  lab: Laboratory,
  mutant?: Mutant,
): Promise<{ broken?: string; noted: Set<string> }> {
  const noted = new Set<string>();
  for (const { title, path } of stories.filter(({ scenario }) => scenario === lab.scenario.name)) {
    mutation.active = mutant;
    const broken = await repeat(lab, { bounds: { faults: 9, jumps: 9, areLong: true } }, path, () => {
      for (const one of mutation.seen) noted.add(one);
    });
    for (const one of mutation.seen) noted.add(one);
    mutation.active = undefined;
    if (broken !== undefined) return { broken: `${broken.what} (${title})`, noted };
  }
  return { noted };
}

function isBreak(mutant: Mutant): boolean {
  const { file, was, becomes } = mutant;
  return Object.values(breaks).some((one) => one[0] === file && one[1] === was && one[2] === becomes);
}

/** As it is kept. */
function rowOf({ file, line, was, becomes }: Mutant, outcome: Outcome, by: string): KeptMutant {
  const change = `${line} ${was} → ${becomes}`;
  const reason = outcome === "killed" ? undefined : reasonFor(file, `${was} → ${becomes}`);
  const isSurvivor = outcome === "survived" || outcome === "same";
  return {
    file,
    change,
    outcome: isSurvivor ? (reason === undefined ? "survived" : "equivalent") : outcome,
    why: whyOf(outcome, reason, by),
  };
}

function whyOf(outcome: Outcome, reason: string | undefined, by: string): string {
  if (outcome === "killed") return by;
  return reason ?? (outcome === "same" ? "Redis and all answers stay the same" : "");
}
