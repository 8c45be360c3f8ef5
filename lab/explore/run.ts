import { runCommand, say, seedFrom, UsageError, wholeNumber } from "../../test/support/command.ts";
import { createRandom } from "../../test/support/random.ts";
import { answerAll, hasItemsToCome, inProcesses } from "../lib/in-processes.ts";
import { explore, repeat, shrink, type Violation, walk } from "./lib/explorer.ts";
import { type KeptScenario, keep, keepMutants } from "./lib/kept.ts";
import { type Laboratory, openRedis } from "./lib/open.ts";
import type { Bounds, Scenario } from "./lib/run.ts";
import { mutation } from "./mutants/mutation.ts";
import { rowOf } from "./mutants/places.ts";
import { tryMutants } from "./mutants/try-mutants.ts";
import { scenarios } from "./scenarios.ts";

const usage = `npm run explore -- [options]

Runs the real code of submissions, attempts, guards and of the ledger in every order of its steps, with faults between any two of them.

  --quick             the short form: fewer faults at a time
  --scenario NAME     only this one: ${scenarios.map(({ name }) => name).join(", ")}
  --seconds N         how long to follow one scenario (1 to 3600; default 90, so that all end within half an hour on two processors, and 600 in the short form)
  --walks N           so many random walks beyond the bounds, for each scenario (1 to 100000)
  --seed N            repeats the walks of an earlier run
  --mutants           changes each condition of the scripts and of some files, one at a time: the short form has to notice
  --tests             changes each condition that no scenario notices: a test that is named for it has to
  --script NAMES      changes only these scripts or files, e.g. reserve.lua,act-once.ts
  --record            keeps the results in docs/explored.json, and writes docs/RELIABILITY.md
  --help              shows this text

Exit codes: 0 no promise is broken, 1 one is, 2 wrong usage.`;

/** Each walk takes more faults and more time than an exploration could follow whole. */
const BEYOND: Bounds = { faults: 4, jumps: 5, jumpMs: 7_000 };

type Open = (scenario: Scenario) => Promise<Laboratory>;
type Extent = { readonly isQuick: boolean; readonly untilMs: number };
type Walks = { readonly walks: number; readonly seed: number; readonly isKept: boolean };

await runCommand(
  usage,
  {
    quick: { type: "boolean", default: false },
    scenario: { type: "string" },
    seconds: { type: "string" },
    walks: { type: "string" },
    seed: { type: "string" },
    mutants: { type: "boolean", default: false },
    tests: { type: "boolean", default: false },
    script: { type: "string" },
    record: { type: "boolean", default: false },
  },
  async ({ quick, mutants, tests, script, record, ...given }) => {
    const chosen = scenarios.filter(({ name }) => given.scenario === undefined || given.scenario === name);
    if (chosen.length === 0) throw new UsageError(`--scenario: expected one of those in --help`);
    const untilMs = 1_000 * wholeNumber("--seconds", given.seconds ?? (quick ? "600" : "90"), 1, 3_600);
    const walks = given.walks === undefined ? 0 : wholeNumber("--walks", given.walks, 1, 100_000);
    const files = script?.split(",") ?? [];
    if (tests) return await breakForTests(files, record);
    if (!hasItemsToCome && !mutants && walks === 0) return await followAll(chosen, record);
    const { open, stop } = await openRedis();
    if (hasItemsToCome) {
      await answerAll((name) => follow(name, open, { isQuick: quick, untilMs }));
      await stop();
      return 0;
    }
    const broken = mutants
      ? await breakConditions(chosen, open, files, record)
      : await walkAll(chosen, open, { walks, seed: seedFrom(given.seed), isKept: record });
    await stop();
    if (record) await writeReliability();
    return broken === 0 ? 0 : 1;
  },
);

/** @returns the exit code */
async function followAll(chosen: readonly Scenario[], isKept: boolean): Promise<number> {
  const startedAt = performance.now();
  const all: KeptScenario[] = [];
  const names = chosen.map(({ name }) => name);
  await inProcesses<KeptScenario>(names, (row) => {
    all.push(row);
    if (isKept) keep({ scenarios: [row] });
  });
  const total = (of: (row: KeptScenario) => number) => all.reduce((sum, row) => sum + of(row), 0);
  const seconds = Math.round((performance.now() - startedAt) / 1_000);
  say(
    `${all.length} scenarios, ${total(({ isWhole }) => Number(isWhole))} of them to their end: ${total(({ states }) => states)} states, ${total(({ orders }) => orders)} orders; ${seconds} s`,
  );
  if (isKept) await writeReliability();
  return all.some(({ violations }) => violations > 0) ? 1 : 0;
}

/** Follows one scenario, in a process of `followAll`. */
async function follow(name: string, open: Open, { isQuick, untilMs }: Extent): Promise<KeptScenario> {
  const scenario = scenarios.find((one) => one.name === name) as Scenario;
  const lab = await open(scenario);
  const bounds = isQuick ? scenario.quick : scenario.whole;
  const { violation, ms, ends, ...counts } = await explore(lab, { bounds, untilMs });
  const { faults, jumps } = bounds;
  say(
    `${name}: faults ${faults}, time passes ${jumps} times: ${counts.isWhole ? "all" : "NOT ALL"} ${counts.states} states, ${counts.steps} steps in ${counts.orders} orders, ${ends} followed until the job ended; ${(ms / 1_000).toFixed(1)} s`,
  );
  if (violation !== undefined) await tellStory(lab, bounds, violation);
  const violations = Number(violation !== undefined);
  return { name, faults, jumps, ...counts, seconds: Math.round(ms / 1_000), violations };
}

async function walkAll(chosen: readonly Scenario[], open: Open, { walks, seed, isKept }: Walks) {
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
  const mutants = await tryMutants(chosen, open, files, chosen.length < scenarios.length);
  if (isKept) keepMutants(mutation.all.map(rowOf), mutants);
  const survivors = mutants.filter(({ outcome }) => outcome === "survived");
  for (const { file, change, why } of survivors) say(`survived ${file}:${change} ${why}`);
  say(`${survivors.length} of ${mutants.length} survive`);
  return survivors.length;
}

async function breakForTests(files: readonly string[], isKept: boolean): Promise<number> {
  const { tryTests } = await import("./mutants/try-tests.ts");
  const tried = await tryTests(files, (made, row) => isKept && keepMutants(made, [row]));
  const unnoticed = tried.filter(({ outcome }) => outcome === "unreached");
  say(`${unnoticed.length} of ${tried.length} go unnoticed`);
  return Math.min(unnoticed.length, 1);
}

/** With what the experiments have kept. */
async function writeReliability(): Promise<void> {
  const { experiments } = await import("../faults/experiments/index.ts");
  const { readResults } = await import("../faults/lib/kept-results.ts");
  const { writeReport } = await import("../faults/lib/report.ts");
  writeReport(readResults(), experiments, true);
}
