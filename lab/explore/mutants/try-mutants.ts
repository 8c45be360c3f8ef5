import { say } from "../../../test/support/command.ts";
import { createRandom } from "../../../test/support/random.ts";
import { explore, Graph, repeat } from "../lib/explorer.ts";
import { type KeptMutant, readKeptMutants, withoutLine } from "../lib/kept.ts";
import type { Laboratory, Scenario } from "../lib/run.ts";
import { STORY, storiesOf } from "../stories.ts";
import { differsAt, mutation } from "./mutation.ts";
import type { Mutant } from "./places.ts";
import { breaks, judged } from "./reasons.ts";

/**
 * Killed: some order breaks a promise. Survived: none does. Same: not even what Redis has, or what anybody is told, differs in any order.
 * Unreached: its condition was never otherwise.
 */
type Outcome = "killed" | "survived" | "same" | "unreached";

/** The first round follows this many of the states that are other, in orders that are drawn at random; the second more of what is left, within wider bounds. */
const ROUNDS = [{ states: 10 }, { states: 60, isWide: true }];
/** Of what is left of an earlier run. */
const LEFT = [{ states: 60 }];
/** With a mutant that has a name. */
const NAMED = 1_000;
/** Of the wide bounds is followed what ends in this time. */
const WIDE_MS = 25_000;

interface Asked {
  readonly scenarios: readonly Scenario[];
  readonly open: (scenario: Scenario) => Promise<Laboratory>;
  /** All where there are none. */
  readonly files: readonly string[];
  /** Whether what is kept as killed or equivalent is not tried again. */
  readonly onlyLeft: boolean;
  /** Called after each scenario with what is known by then. */
  readonly keep: (rows: readonly KeptMutant[]) => void;
}

/** Explores each scenario with each mutant, where it can matter. */
export async function tryMutants({ scenarios, open, files, onlyLeft, keep }: Asked): Promise<KeptMutant[]> {
  const isChosen = ({ file }: Mutant) => files.length === 0 || files.some((one) => file.endsWith(one));
  const all = mutation.all.filter(isChosen).map((mutant) => new Tried(mutant));
  const kept = readKeptMutants();
  if (onlyLeft)
    for (const tried of all) tried.remember(kept.filter((row) => nameOf(row) === nameOf(tried.row)));
  const rounds: readonly Round[] = onlyLeft ? LEFT : ROUNDS;
  const isLeft = ({ outcome, why }: KeptMutant) =>
    outcome !== "killed" && outcome !== "equivalent" && !(onlyLeft && outcome === "unreached" && why !== "");
  const leftIn = (round: Round) =>
    all.filter(({ row }) => (round === ROUNDS[0] ? row.outcome !== "killed" : isLeft(judged(row))));
  for (const round of rounds)
    for (const scenario of scenarios) {
      await tryAll(await open(scenario), round, leftIn(round));
      say(
        `${scenario.name}, round ${rounds.indexOf(round) + 1}: ${leftIn(round).length} of ${all.length} are left`,
      );
      // In the first round some scenarios are still to come.
      const isOpen = round === rounds[0] && scenario !== scenarios.at(-1);
      keep(
        all.map(({ row }) =>
          isOpen && row.outcome !== "killed" && !onlyLeft ? { ...row, outcome: "open" } : judged(row),
        ),
      );
    }
  // Code that no scenario runs is not what is explored.
  return all.filter(({ isRun }) => isRun).map((tried) => judged(tried.row));
}

/** What is known of a mutant. */
class Tried {
  readonly mutant: Mutant;
  row: KeptMutant;

  #wasRun = false;

  constructor(mutant: Mutant) {
    this.mutant = mutant;
    this.row = rowOf(mutant, "unreached", "");
  }

  /** @param kept what became of this change, in whichever lines it stood then */
  remember(kept: readonly KeptMutant[]): void {
    const [known] = kept;
    this.#wasRun = known !== undefined;
    const isKnown = kept.every(({ outcome }) => /^(killed|equivalent|survived)$/.test(outcome));
    if (known !== undefined && isKnown) this.row = { ...known, change: this.row.change };
  }

  /** Whether some scenario comes to its condition. */
  get isRun(): boolean {
    return this.#wasRun || run.has(this.mutant.id);
  }

  tell(outcome: Outcome, by: string): void {
    if (outcome !== "same" || this.row.outcome === "unreached") this.row = rowOf(this.mutant, outcome, by);
    const { file, change, why } = this.row;
    if (outcome === "killed") say(`killed ${file}:${change} ${why}`);
  }
}

let escaped: unknown;
process.on("unhandledRejection", (error) => {
  escaped ??= error;
});

interface Round {
  readonly states: number;
  readonly isWide?: boolean;
}

/** The places to which some scenario has come. */
const run = new Set<string>();

async function tryAll(
  lab: Laboratory,
  { states, isWide = false }: Round,
  left: readonly Tried[],
): Promise<void> {
  const { name, quick, whole } = lab.scenario;
  const graph = new Graph();
  const bounds = isWide ? whole : quick;
  const plain = await explore(lab, { bounds, graph, ...(isWide && { untilMs: WIDE_MS }) });
  const inStories = await tellStories(lab);
  const broken = plain.violation?.what ?? inStories.broken;
  if (broken !== undefined) throw new Error(`without a mutant: ${broken}`);
  for (const noted of [graph.noted, inStories.noted])
    for (const one of noted) run.add(one.slice(0, one.lastIndexOf(" ")));
  for (const tried of left) {
    const { mutant } = tried;
    const isTold = inStories.noted.has(differsAt(mutant));
    if (!graph.noted.has(differsAt(mutant)) && !isTold) continue;
    const isNamed = breaks[mutant.file]?.[`${mutant.was} → ${mutant.becomes}`] !== undefined;
    const most = { states: isNamed ? NAMED : states, random: createRandom(1) };
    const plan = { bounds, graph, mutant, most };
    const [outcome, by] = await outcomeOf(async () => {
      const { violation, ...counts } = await explore(lab, plan);
      if (violation !== undefined) return ["killed", violation.what];
      const told = isTold ? await tellStories(lab, mutant) : undefined;
      if (told?.broken !== undefined) return ["killed", told.broken];
      return [counts.states + counts.ends > 0 ? "survived" : "same", ""];
    });
    tried.tell(outcome, by && `${name}: ${by}`);
  }
}

async function outcomeOf(attempt: () => Promise<[Outcome, string]>): Promise<[Outcome, string]> {
  escaped = undefined;
  try {
    const outcome = await attempt();
    if (escaped !== undefined && outcome[0] !== "killed") throw escaped;
    return outcome;
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
  const note = () => mutation.seen.forEach((one) => void noted.add(one));
  for (const { title, path } of storiesOf(lab.scenario)) {
    mutation.active = mutant;
    const broken = await repeat(lab, STORY, path, note);
    note();
    mutation.active = undefined;
    if (broken !== undefined) return { broken: `${broken.what} (${title})`, noted };
  }
  return { noted };
}

/** As it is kept. */
function rowOf({ file, line, was, becomes }: Mutant, outcome: Outcome, by: string): KeptMutant {
  const change = `${line} ${was} → ${becomes}`;
  if (outcome === "killed" || outcome === "unreached") return { file, change, outcome, why: by };
  return { file, change, outcome: "survived", why: outcome === "same" ? SAME : "" };
}

function nameOf({ file, change }: KeptMutant): string {
  return `${file} ${withoutLine(change)}`;
}

const SAME = "Redis and all answers stay the same";
