import { runCommand, say, seedFrom, UsageError, wholeNumber } from "../../test/support/command.ts";
import { createRandom } from "../../test/support/random.ts";
import { type Explored, explore, type Plan, repeat, shrink, walk } from "./lib/explorer.ts";
import { type KeptMutant, type KeptScenario, keep, keepMutants } from "./lib/kept.ts";
import { openRedis } from "./lib/open.ts";
import type { Laboratory, Scenario } from "./lib/run.ts";
import { tryMutants } from "./mutants/try-mutants.ts";
import { scenarios } from "./scenarios.ts";
import { stories } from "./stories.ts";

const usage = `npm run explore -- [options]

Runs the real code of submissions, attempts, guards and of the ledger in every order of its steps, with faults between any two of them.

  --quick             the short form: fewer faults at a time
  --scenario NAME     only this one: ${scenarios.map(({ name }) => name).join(", ")}
  --faults N          how many faults at a time (0 to 4)
  --seconds N         how long to follow one scenario (1 to 3600; default 100, so that all end within half an hour, and 600 in the short form)
  --walks N           so many random walks beyond the bounds, for each scenario (1 to 100000)
  --seed N            repeats the walks of an earlier run
  --until-broken      ends at the first promise that is broken, without its story
  --mutants           changes each condition of the scripts and of some files, one at a time: the short form has to notice
  --script NAMES      changes only these scripts or files, e.g. reserve.lua,act-once.ts
  --record            keeps the results in docs/explored.json, and writes docs/RELIABILITY.md
  --help              shows this text

Exit codes: 0 no promise is broken, 1 one is, 2 wrong usage.`;

/** Each walk takes more faults and more time than an exploration could follow whole. */
const BEYOND: Plan = { bounds: { faults: 4, jumps: 5 } };

interface Followed {
  readonly chosen: readonly Scenario[];
  readonly open: (scenario: Scenario) => Promise<Laboratory>;
  readonly isShort: boolean;
}

await runCommand(
  usage,
  {
    quick: { type: "boolean", default: false },
    scenario: { type: "string" },
    faults: { type: "string" },
    seconds: { type: "string" },
    walks: { type: "string" },
    seed: { type: "string" },
    "until-broken": { type: "boolean", default: false },
    mutants: { type: "boolean", default: false },
    script: { type: "string" },
    record: { type: "boolean", default: false },
  },
  async ({ quick, mutants, script, record, "until-broken": isShort, ...given }) => {
    const chosen = scenarios.filter(({ name }) => given.scenario === undefined || given.scenario === name);
    if (chosen.length === 0) throw new UsageError(`--scenario: expected one of those in --help`);
    const faults = given.faults === undefined ? undefined : wholeNumber("--faults", given.faults, 0, 4);
    const untilMs = 1_000 * wholeNumber("--seconds", given.seconds ?? (quick ? "600" : "100"), 1, 3_600);
    const redis = await openRedis();
    const followed: Followed = { chosen, open: (scenario) => redis.open(scenario), isShort };
    const planOf = (one: Scenario) => ({
      bounds: { ...(quick ? one.quick : one.whole), ...(faults !== undefined && { faults }) },
      untilMs,
    });
    const walks = given.walks === undefined ? 0 : wholeNumber("--walks", given.walks, 1, 100_000);
    const hasHeld = mutants
      ? await breakConditions(followed, script?.split(",") ?? [], record)
      : walks > 0
        ? await walkAll(followed, walks, seedFrom(given.seed), record)
        : await followAll(followed, planOf, record);
    await redis.stop();
    if (record) await writeReliability();
    return hasHeld ? 0 : 1;
  },
);

async function followAll(
  { chosen, open, isShort }: Followed,
  planOf: (scenario: Scenario) => Plan,
  isKept: boolean,
): Promise<boolean> {
  let hasHeld = true;
  const all: Explored[] = [];
  for (const scenario of chosen) {
    const lab = await open(scenario);
    const plan = planOf(scenario);
    const explored = await explore(lab, plan);
    all.push(explored);
    if (isKept) keep({ scenarios: [keptOf(scenario.name, plan, explored)] });
    say(line(scenario.name, plan, explored));
    if (explored.violation !== undefined) {
      hasHeld = false;
      if (isShort) say(`BROKEN ${scenario.name}: ${explored.violation.what}`);
      else await tellStory(lab, plan, explored.violation);
    }
    if (!(await followStories(lab))) hasHeld = false;
    if (isShort && !hasHeld) return false;
  }
  say(totalOf(all));
  return hasHeld;
}

function totalOf(all: readonly Explored[]): string {
  const sum = (of: (one: Explored) => number) => all.reduce((total, one) => total + of(one), 0);
  const whole = all.filter(({ isWhole }) => isWhole).length;
  return `${all.length} scenarios, ${whole} of them to their end: ${sum(({ states }) => states)} states, ${sum(({ orders }) => orders)} orders; ${Math.round(sum(({ ms }) => ms) / 1_000)} s`;
}

async function followStories(lab: Laboratory): Promise<boolean> {
  let hasHeld = true;
  for (const { title, path } of stories.filter(({ scenario }) => scenario === lab.scenario.name)) {
    let steps = 0;
    const found = await repeat(lab, { bounds: { faults: 9, jumps: 9, areLong: true } }, path, () => {
      steps += 1;
    });
    const isWhole = found === undefined && steps === path.length;
    say(`  ${isWhole ? "holds" : "BROKEN"}: ${title}`);
    if (!isWhole) hasHeld = false;
  }
  return hasHeld;
}

function keptOf(name: string, { bounds: { faults, jumps } }: Plan, explored: Explored): KeptScenario {
  const { states, orders, steps, ms, isWhole, violation } = explored;
  const seconds = Math.round(ms / 1_000);
  return { name, faults, jumps, states, orders, steps, seconds, isWhole, violations: violation ? 1 : 0 };
}

function line(
  name: string,
  { bounds }: Plan,
  { states, orders, ends, steps, ms, cpuMs, isWhole }: Explored,
): string {
  const { faults, jumps, areLong } = bounds;
  const time = `${(ms / 1_000).toFixed(1)} s (${(cpuMs / 1_000).toFixed(1)} s of a processor)`;
  const extent = isWhole ? "all" : "NOT ALL";
  return `${name}: faults ${faults}, time passes ${jumps} times ${areLong ? "14 s" : "7 s"}: ${extent} ${states} states, ${steps} steps in ${orders} orders, ${ends} followed until the job ended; ${time}`;
}

async function walkAll(
  { chosen, open }: Followed,
  walks: number,
  seed: number,
  isKept: boolean,
): Promise<boolean> {
  let [steps, violations] = [0, 0];
  for (const scenario of chosen) {
    const lab = await open(scenario);
    for (let index = 0; index < walks; index += 1) {
      const random = createRandom(seed).fork(`${scenario.name} ${index}`);
      const walked = await walk(lab, BEYOND, random);
      steps += walked.steps;
      if (walked.violation === undefined) continue;
      violations += 1;
      say(`BROKEN ${scenario.name}, walk ${index} of seed ${seed}`);
      await tellStory(lab, BEYOND, walked.violation);
    }
  }
  const all = walks * chosen.length;
  say(
    `${all} walks with up to ${BEYOND.bounds.faults} faults, ${steps} steps, seed ${seed}: ${violations} broken`,
  );
  if (isKept) keep({ walks: { walks: all, steps, violations } });
  return violations === 0;
}

async function tellStory(
  lab: Laboratory,
  plan: Plan,
  violation: NonNullable<Explored["violation"]>,
): Promise<void> {
  const shortest = await shrink(lab, plan, violation);
  say(`  ${shortest.what}`);
  await repeat(lab, plan, shortest.path, (text) => void say(`  ${text}`));
}

/** @returns whether each mutant is killed, or need not be */
async function breakConditions(
  { chosen, open }: Followed,
  files: readonly string[],
  isKept: boolean,
): Promise<boolean> {
  async function* labs() {
    for (const scenario of chosen) yield await open(scenario);
  }
  const mutants = await tryMutants(labs, files, (rows) => isKept && keepMutants(rows.map(unfinished)));
  if (isKept) keepMutants(mutants);
  const survivors = mutants.filter(({ outcome }) => outcome === "survived");
  say(`${survivors.length} of ${mutants.length} survive`);
  return survivors.length === 0;
}

function unfinished(row: KeptMutant): KeptMutant {
  return { ...row, outcome: row.outcome === "killed" ? "killed" : "open" };
}

/** With what the experiments have kept. */
async function writeReliability(): Promise<void> {
  const { experiments } = await import("../faults/experiments/index.ts");
  const { readResults } = await import("../faults/lib/kept-results.ts");
  const { writeReport } = await import("../faults/lib/report.ts");
  writeReport(readResults(), experiments, true);
}
