import type { Command } from "commander";
import { jobNotFound } from "../../../core/job/job-id.ts";
import type { GuardedEffectDetail, GuardedEffectView } from "../../../desk/guarded/guarded-effects.ts";
import { guardedEffectFilterSchema } from "../../../desk/guarded/guarded-effects.ts";
import { evidenceText } from "../../../evidence/outgoing/outgoing-text.ts";
import { parseInput } from "../../../platform/lib/parse-json.ts";
import { withOperatorIfAny } from "../connections.ts";
import { addShowOptions, type ShowOptions, show } from "../screen/show.ts";
import { listOf } from "../screen/table.ts";
import type { Lines } from "../screen/text.ts";

interface ListOptions extends ShowOptions {
  readonly effect?: string;
  readonly state?: string;
  readonly key?: string;
  readonly limit: string;
}

/** `holdfast effects`: those that no job runs. */
export function addEffectsCommands(program: Command): void {
  const effects = program
    .command("effects")
    .description("see side effects that no job runs: those of guards");
  addShowOptions(effects.command("list"))
    .description("list those that are known, the latest first")
    .option("--effect <name>", "only this effect")
    .option("--state <state>", "only those that are reserved, done or in-doubt")
    .option("--key <text>", "only those whose key has this part")
    .option("--limit <n>", "how many at most", "50")
    .action(list);
  addShowOptions(effects.command("show"))
    .description("show what is known of one, and what people said of it")
    .argument("<id>", "the id of its call")
    .action(showOne);
}

async function list({ effect, state, key, limit, ...options }: ListOptions): Promise<void> {
  const filter = parseInput(guardedEffectFilterSchema, { effect, state, keyText: key, limit });
  await withOperatorIfAny(({ guardedEffects }) => {
    const read = () => guardedEffects(filter);
    return show({ read, describe, json: (found) => found }, options);
  });
}

const describe = listOf<GuardedEffectView>("no effect of a guard is known", [
  ["call", ({ id }) => id],
  ["effect", ({ effect }) => effect],
  ["key", ({ idempotencyKey }) => idempotencyKey],
  ["state", ({ state }) => state],
  ["since", ({ since }) => since, 1],
  ["about", ({ about }) => about, 3],
  ["by", ({ by }) => by, 2],
]);

async function showOne(id: string, options: ShowOptions): Promise<void> {
  await withOperatorIfAny(({ guardedEffect }) => {
    const read = async () => {
      const effect = await guardedEffect(id);
      if (effect === undefined) throw jobNotFound();
      return effect;
    };
    return show({ read, describe: describeOne, json: (found) => [found] }, options);
  });
}

function describeOne({ acts, answer: _, sent, ...effect }: GuardedEffectDetail): Lines {
  const known = { ...effect, sent: evidenceText(sent) };
  const facts = Object.entries(known).filter(([, value]) => value !== null);
  const width = Math.max(...facts.map(([name]) => name.length));
  return [
    ...facts.map(([name, value]) => [`${name.padEnd(width)}  ${value}`]),
    ...acts.map(({ at, as, by, evidence }) => [`${at}  ${as} by ${by}: ${evidence}`]),
  ];
}
