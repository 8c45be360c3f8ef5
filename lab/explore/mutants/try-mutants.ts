import { pathToFileURL } from "node:url";
import { readLua } from "../../../src/platform/redis/read-lua.ts";
import { explore } from "../lib/explorer.ts";
import type { Laboratory } from "../lib/run.ts";
import { MOMENTS, type Store } from "../lib/store.ts";
import { type Mutant, mutantsOf, NOTED, watched } from "./lua.ts";

const folders = { "ledger-sweep": "life" } as const;
const scripts = [
  ...["reserve", "commit", "release", "doubt", "left-open", "resolve", "run-over"],
  "ledger-sweep",
] as const;

function sourceOf(script: string): string {
  const folder = script in folders ? "life" : "effect/ledger";
  const file = new URL(`../../../src/core/${folder}/${script}.lua`, import.meta.url);
  return readLua(pathToFileURL(file.pathname).href, `${script}.lua`);
}

export interface Verdict {
  readonly mutant: Mutant;
  /** Killed: some order breaks a promise. Survived: none does. Unreached: its condition was never otherwise. */
  readonly outcome: "killed" | "survived" | "unreached";
  readonly by: string;
}

/** Explores each scenario's quick form with each mutant that can matter in it. */
export async function tryMutants(
  store: Store,
  open: () => AsyncIterable<Laboratory>,
  only: string | undefined,
): Promise<Verdict[]> {
  const sources = new Map(
    scripts.filter((name) => only === undefined || name === only).map((name) => [name, sourceOf(name)]),
  );
  const mutants = [...sources].flatMap(([name, source]) => mutantsOf(name, source));
  const verdicts = new Map<Mutant, Verdict>(
    mutants.map((mutant) => [mutant, { mutant, outcome: "unreached", by: "" }]),
  );
  for await (const lab of open()) {
    const { quick, name } = lab.scenario;
    await store.forgetNotes(NOTED);
    store.replaced = new Map(
      [...sources].map(([script, source]) => [source, watched(script, source, MOMENTS)]),
    );
    const plain = await explore(lab, { bounds: quick });
    if (plain.violation !== undefined) throw new Error(`without a mutant: ${plain.violation.what}`);
    const noted = new Set(await store.notes(NOTED));
    for (const mutant of mutants.filter(({ differsAt }) => noted.has(differsAt))) {
      if (verdicts.get(mutant)?.outcome === "killed") continue;
      store.replaced = new Map([[sources.get(mutant.script as never) ?? "", mutant.text]]);
      const by = await brokenBy(lab);
      verdicts.set(mutant, {
        mutant,
        outcome: by === undefined ? "survived" : "killed",
        by: by ? `${name}: ${by}` : "",
      });
    }
    store.replaced = new Map();
  }
  return [...verdicts.values()];
}

async function brokenBy(lab: Laboratory): Promise<string | undefined> {
  try {
    return (await explore(lab, { bounds: lab.scenario.quick })).violation?.what;
  } catch (error) {
    return `the code fails: ${error instanceof Error ? error.message : String(error)}`;
  }
}
