import { runCommand, say, seedFrom, UsageError, wholeNumber } from "../../test/support/command.ts";
import { createRandom } from "../../test/support/random.ts";
import { explore, repeat, shrink, type Violation, walk } from "./lib/explorer.ts";
import { keep, keepMutants } from "./lib/kept.ts";
import { type Laboratory, openRedis } from "./lib/open.ts";
import type { Bounds, Scenario } from "./lib/run.ts";
import { tryMutants } from "./mutants/try-mutants.ts";
import { scenarios } from "./scenarios.ts";

const usage = `npm run explore -- [options]

Runs the real code of submissions, attempts, guards and of the ledger in every order of its steps, with faults between any two of them.

  --quick             the short form: fewer faults at a time
  --scenario NAME     only this one: ${scenarios.map(({ name }) => name).join(", ")}
  --seconds N         how long to follow one scenario (1 to 3600; default 85, so that all end within half an hour, and 600 in the short form)
  --walks N           so many random walks beyond the bounds, for each scenario (1 to 100000)
  --seed N            repeats the walks of an earlier run
  --mutants           changes each condition of the scripts and of some files, one at a time: the short form has to notice
  --script NAMES      changes only these scripts or files, e.g. reserve.lua,act-once.ts
  --record            keeps the results in docs/explored.json, and writes docs/RELIABILITY.md
  --help              shows this text

Exit codes: 0 no promise is broken, 1 one is, 2 wrong usage.`;

/** Each walk takes more faults and more time than an exploration could follow whole. */
const BEYOND: Bounds = { faults: 4, jumps: 5, jumpMs: 7_000 };

type Open = (scenario: Scenario) => Promise<Laboratory>;

await runCommand(
  usage,
  {
    quick: { type: "boolean", default: false },
    scenario: { type: "string" },
    seconds: { type: "string" },
    walks: { type: "string" },
    seed: { type: "string" },
    mutants: { type: "boolean", default: false },
    script: { type: "string" },
    record: { type: "boolean", default: false },
  },
  async ({ quick, mutants, script, record, ...given }) => {
    const chosen = scenarios.filter(({ name }) => given.scenario === undefined || given.scenario === name);
    if (chosen.length === 0) throw new UsageError(`--scenario: expected one of those in --help`);
    const untilMs = 1_000 * wholeNumber("--seconds", given.seconds ?? (quick ? "600" : "85"), 1, 3_600);
    const walks = given.walks === undefined ? 0 : wholeNumber("--walks", given.walks, 1, 100_000);
    const { open, stop } = await openRedis();
    const broken = mutants
      ? await breakConditions(chosen, open, script?.split(",") ?? [], record)
      : walks > 0
        ? await walkAll(chosen, open, walks, seedFrom(given.seed), record)
        : await followAll(chosen, open, { isQuick: quick, untilMs, isKept: record });
    await stop();
    if (record) await writeReliability();
    return broken === 0 ? 0 : 1;
  },
);

interface Extent {
  readonly isQuick: boolean;
  readonly untilMs: number;
  readonly isKept: boolean;
}

/** @returns how many promises are broken, as the other two do */
async function followAll(chosen: readonly Scenario[], open: Open, { isQuick, untilMs, isKept }: Extent) {
  const total = { broken: 0, whole: 0, states: 0, orders: 0, ms: 0 };
  for (const scenario of chosen) {
    const lab = await open(scenario);
    const bounds = isQuick ? scenario.quick : scenario.whole;
    const { states, orders, ends, steps, ms, isWhole, violation } = await explore(lab, { bounds, untilMs });
    const { name } = scenario;
    const { faults, jumps } = bounds;
    say(
      `${name}: faults ${faults}, time passes ${jumps} times: ${isWhole ? "all" : "NOT ALL"} ${states} states, ${steps} steps in ${orders} orders, ${ends} followed until the job ended; ${(ms / 1_000).toFixed(1)} s`,
    );
    const counts = { states, orders, steps, seconds: Math.round(ms / 1_000), isWhole };
    if (isKept)
      keep({ scenarios: [{ name, faults, jumps, ...counts, violations: Number(violation !== undefined) }] });
    if (violation !== undefined) await tellStory(lab, bounds, violation);
    total.broken += Number(violation !== undefined);
    total.whole += Number(isWhole);
    total.states += states;
    total.orders += orders;
    total.ms += ms;
  }
  say(
    `${chosen.length} scenarios, ${total.whole} of them to their end: ${total.states} states, ${total.orders} orders; ${Math.round(total.ms / 1_000)} s`,
  );
  return total.broken;
}

async function walkAll(
  chosen: readonly Scenario[],
  open: Open,
  walks: number,
  seed: number,
  isKept: boolean,
): Promise<number> {
  let [steps, violations] = [0, 0];
  for (const scenario of chosen) {
    const lab = await open(scenario);
    for (let index = 0; index < walks; index += 1) {
      const walked = await walk(lab, BEYOND, createRandom(seed).fork(`${scenario.name} ${index}`));
      steps += walked.steps;
      if (walked.violation === undefined) continue;
      violations += 1;
      say(`walk ${index} of seed ${seed}:`);
      await tellStory(lab, BEYOND, walked.violation);
    }
  }
  const all = walks * chosen.length;
  say(`${all} walks with up to ${BEYOND.faults} faults, ${steps} steps, seed ${seed}: ${violations} broken`);
  if (isKept) keep({ walks: { walks: all, steps, violations } });
  return violations;
}

async function tellStory(lab: Laboratory, bounds: Bounds, violation: Violation): Promise<void> {
  say(`BROKEN ${lab.scenario.name}: ${violation.what}`);
  const shortest = await shrink(lab, bounds, violation);
  say(`  ${shortest.what}`);
  await repeat(lab, bounds, shortest.path, (text) => void say(`  ${text}`));
}

async function breakConditions(
  chosen: readonly Scenario[],
  open: Open,
  files: readonly string[],
  isKept: boolean,
): Promise<number> {
  const mutants = await tryMutants(chosen, open, files);
  if (isKept) keepMutants(mutants, chosen.length < scenarios.length);
  const survivors = mutants.filter(({ outcome }) => outcome === "survived");
  for (const { file, change, why } of survivors) say(`survived ${file}:${change} ${why}`);
  say(`${survivors.length} of ${mutants.length} survive`);
  return survivors.length;
}

/** With what the experiments have kept. */
async function writeReliability(): Promise<void> {
  const { experiments } = await import("../faults/experiments/index.ts");
  const { readResults } = await import("../faults/lib/kept-results.ts");
  const { writeReport } = await import("../faults/lib/report.ts");
  writeReport(readResults(), experiments, true);
}
