import { pathToFileURL } from "node:url";
import { readLua } from "../../../src/platform/redis/read-lua.ts";
import { explore } from "../lib/explorer.ts";
import type { Laboratory } from "../lib/run.ts";
import { MOMENTS, type Store } from "../lib/store.ts";
import { type Mutant, mutantsOf, NOTED, watched } from "./lua.ts";
import type { Verdict } from "./verdicts.ts";

const ledger = ["reserve", "commit", "release", "doubt", "left-open", "resolve", "run-over"];

/** Whose conditions are broken, those of their modules, too. */
const scripts = [
  ...ledger.map((name) => `core/effect/ledger/${name}.lua`),
  "core/life/ledger-sweep.lua",
  "core/bullmq/add/add-jobs.lua",
  "core/bullmq/end/cancel.lua",
  "desk/jobs/retry-job.lua",
  "guard/reserve.lua",
  "guard/sweep.lua",
];

function sourceOf(script: string): string {
  const file = new URL(`../../../src/${script}`, import.meta.url);
  return readLua(pathToFileURL(file.pathname).href, script.slice(script.lastIndexOf("/") + 1));
}

/** Explores each scenario's quick form with each mutant that can matter in it. */
export async function tryMutants(
  store: Store,
  open: () => AsyncIterable<Laboratory>,
  only: string | undefined,
  onVerdict: (verdict: Verdict) => void,
): Promise<void> {
  const chosen = scripts.filter((name) => only === undefined || name.endsWith(only));
  const sources = new Map(chosen.map((name) => [name, sourceOf(name)]));
  const mutants = [...sources].flatMap(([name, source]) => mutantsOf(name, source));
  const left = new Map<Mutant, Verdict["outcome"]>(mutants.map((mutant) => [mutant, "unreached"]));
  const found = (mutant: Mutant, outcome: Verdict["outcome"], by: string) => {
    const { script, line, was, becomes } = mutant;
    onVerdict({ file: script, line, was, becomes, outcome, by });
  };
  if (mutants.length === 0) return;
  for await (const lab of open()) {
    const noted = await conditionsMet(store, lab, sources);
    for (const mutant of [...left.keys()].filter(({ differsAt }) => noted.has(differsAt))) {
      store.replaced = new Map([[sources.get(mutant.script) ?? "", mutant.text]]);
      const by = await brokenBy(lab);
      left.set(mutant, "survived");
      if (by === undefined) continue;
      left.delete(mutant);
      found(mutant, "killed", `${lab.scenario.name}: ${by}`);
    }
    store.replaced = new Map();
  }
  for (const [mutant, outcome] of left) found(mutant, outcome, "");
}

/** What each condition of the scripts was in some order of the scenario. */
async function conditionsMet(
  store: Store,
  lab: Laboratory,
  sources: ReadonlyMap<string, string>,
): Promise<ReadonlySet<string>> {
  await store.forgetNotes(NOTED);
  store.replaced = new Map(
    [...sources].map(([script, source]) => [source, watched(script, source, MOMENTS)]),
  );
  const plain = await explore(lab, { bounds: lab.scenario.quick });
  if (plain.violation !== undefined) throw new Error(`without a mutant: ${plain.violation.what}`);
  return new Set(await store.notes(NOTED));
}

async function brokenBy(lab: Laboratory): Promise<string | undefined> {
  try {
    return (await explore(lab, { bounds: lab.scenario.quick })).violation?.what;
  } catch (error) {
    return `the code fails: ${error instanceof Error ? error.message : String(error)}`;
  }
}
