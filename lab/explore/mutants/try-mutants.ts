import { say } from "../../../test/support/command.ts";
import { createRandom } from "../../../test/support/random.ts";
import { explore, Graph } from "../lib/explorer.ts";
import { type KeptMutant, renewed } from "../lib/kept.ts";
import type { Laboratory } from "../lib/open.ts";
import type { Scenario } from "../lib/run.ts";
import { differsAt, mutation } from "./mutation.ts";
import { type Mutant, rowOf } from "./places.ts";
import { breaks, judged } from "./reasons.ts";

/** The first round follows this many of the states that are other, in orders that are drawn at random; the second more of what is left, within wider bounds. */
const ROUNDS: readonly Round[] = [
  { states: 10, isWide: false },
  { states: 300, isWide: true },
];
/** With a mutant that has a name. */
const NAMED = 1_000;
/** Of the wide bounds is followed what ends in this time. */
const WIDE_MS = 10_000;
const SAME = "Redis and all answers stay the same";

interface Round {
  readonly states: number;
  readonly isWide: boolean;
}

/** By its mutant, what became of it so far. */
type Rows = Map<Mutant, KeptMutant>;

/**
 * Explores each scenario with each mutant, where it can matter.
 *
 * @param files all where there are none
 * @param isPart whether these are not all scenarios
 */
export async function tryMutants(
  scenarios: readonly Scenario[],
  open: (scenario: Scenario) => Promise<Laboratory>,
  files: readonly string[],
  isPart: boolean,
): Promise<KeptMutant[]> {
  // Before whoever answers for it takes it back.
  process.prependListener("unhandledRejection", (error) => void mutation.escaped.push(error));
  const chosen = mutation.all.filter(
    ({ file }) => files.length === 0 || files.some((one) => file.endsWith(one)),
  );
  const rows: Rows = new Map(chosen.map((mutant) => [mutant, rowOf(mutant)]));
  for (const round of ROUNDS)
    for (const scenario of scenarios) {
      await tryAll(await open(scenario), round, rows);
      const left = [...rows.values()].filter((row) => isLeft(row, round));
      say(`${scenario.name}, ${round.states} states: ${left.length} of ${rows.size} are left`);
    }
  // What some scenarios have not noticed, others may; what a test has noticed, it notices still.
  const isWorse = ({ outcome }: KeptMutant, { outcome: was }: KeptMutant) =>
    outcome !== "killed" && (was === "tested" || (was === "killed" && isPart));
  const found = [...rows.values()].map(judged);
  return renewed(chosen.map(rowOf)).map((known, at) => {
    const row = found[at] ?? known;
    return isWorse(row, known) ? known : row;
  });
}

/** The first round also tries those of which a reason is known. */
function isLeft(row: KeptMutant, { isWide }: Round): boolean {
  return !/^(killed|equivalent)$/.test(isWide ? judged(row).outcome : row.outcome);
}

async function tryAll(lab: Laboratory, round: Round, rows: Rows): Promise<void> {
  const { name, quick, whole } = lab.scenario;
  const graph = new Graph();
  const bounds = round.isWide ? whole : quick;
  const plain = await explore(lab, { bounds, graph, ...(round.isWide && { untilMs: WIDE_MS }) });
  if (plain.violation !== undefined) throw new Error(`without a mutant: ${plain.violation.what}`);
  for (const [mutant, row] of rows) {
    if (!isLeft(row, round) || !graph.noted.has(differsAt(mutant))) continue;
    const isNamed = breaks[mutant.file]?.[`${mutant.was} → ${mutant.becomes}`] !== undefined;
    const most = { states: isNamed ? NAMED : round.states, random: createRandom(1) };
    const killed = await brokenBy(async () => {
      const { violation, states, ends } = await explore(lab, { bounds, graph, mutant, most });
      if (violation === undefined && states + ends > 0)
        rows.set(mutant, { ...row, outcome: "survived", why: "" });
      else if (row.outcome === "unreached") rows.set(mutant, { ...row, outcome: "survived", why: SAME });
      return violation?.what;
    });
    if (killed === undefined) continue;
    rows.set(mutant, { ...row, outcome: "killed", why: `${name}: ${killed}` });
    say(`killed ${mutant.file}:${mutant.line} ${mutant.was} → ${mutant.becomes} ${name}: ${killed}`);
  }
}

/** @returns the promise that is broken, or how the code fails */
async function brokenBy(attempt: () => Promise<string | undefined>): Promise<string | undefined> {
  mutation.escaped = [];
  try {
    const broken = await attempt();
    if (mutation.escaped.length > 0 && broken === undefined) throw mutation.escaped[0];
    return broken;
  } catch (error) {
    return `the code fails: ${error instanceof Error ? error.message : String(error)}`;
  }
}
