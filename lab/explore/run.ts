import { runCommand, say, seedFrom, UsageError, wholeNumber } from "../../test/support/command.ts";
import { createRandom } from "../../test/support/random.ts";
import { type Explored, explore, type Plan, repeat, shrink, type Violation, walk } from "./lib/explorer.ts";
import { type KeptMutant, keep, keepMutants } from "./lib/kept.ts";
import { openRedis } from "./lib/open.ts";
import type { Laboratory, Scenario } from "./lib/run.ts";
import { tryMutants } from "./mutants/try-mutants.ts";
import { scenarios } from "./scenarios.ts";
import { STORY, storiesOf } from "./stories.ts";

const usage = `npm run explore -- [options]

Runs the real code of submissions, attempts, guards and of the ledger in every order of its steps, with faults between any two of them.

  --quick             the short form: fewer faults at a time
  --scenario NAME     only this one: ${scenarios.map(({ name }) => name).join(", ")}
  --faults N          how many faults at a time (0 to 4)
  --seconds N         how long to follow one scenario (1 to 3600; default 85, so that all end within half an hour, and 600 in the short form)
  --walks N           so many random walks beyond the bounds, for each scenario (1 to 100000)
  --seed N            repeats the walks of an earlier run
  --until-broken      ends at the first promise that is broken, without its story
  --mutants           changes each condition of the scripts and of some files, one at a time: the short form has to notice
  --script NAMES      changes only these scripts or files, e.g. reserve.lua,act-once.ts
  --left              changes only what docs/mutants.json does not have as noticed
  --record            keeps the results in docs/explored.json, and writes docs/RELIABILITY.md
  --help              shows this text

Exit codes: 0 no promise is broken, 1 one is, 2 wrong usage.`;

/** Each walk takes more faults and more time than an exploration could follow whole. */
const BEYOND: Plan = { bounds: { faults: 4, jumps: 5, jumpMs: 7_000 } };

interface Followed {
  readonly chosen: readonly Scenario[];
  readonly open: (scenario: Scenario) => Promise<Laboratory>;
  /** Whether the results are kept. */
  readonly isKept: boolean;
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
    left: { type: "boolean", default: false },
    record: { type: "boolean", default: false },
  },
  async ({ quick, mutants, script, left, record, "until-broken": isShort, ...given }) => {
    const chosen = scenarios.filter(({ name }) => given.scenario === undefined || given.scenario === name);
    if (chosen.length === 0) throw new UsageError(`--scenario: expected one of those in --help`);
    const faults = given.faults === undefined ? undefined : wholeNumber("--faults", given.faults, 0, 4);
    const untilMs = 1_000 * wholeNumber("--seconds", given.seconds ?? (quick ? "600" : "85"), 1, 3_600);
    const walks = given.walks === undefined ? 0 : wholeNumber("--walks", given.walks, 1, 100_000);
    const redis = await openRedis();
    const followed: Followed = { chosen, open: (scenario) => redis.open(scenario), isKept: record };
    const planOf = (one: Scenario): Plan => ({
      bounds: { ...(quick ? one.quick : one.whole), ...(faults !== undefined && { faults }) },
      untilMs,
    });
    const hasHeld = mutants
      ? await breakConditions(followed, script?.split(",") ?? [], left)
      : walks > 0
        ? await walkAll(followed, walks, seedFrom(given.seed))
        : await followAll(followed, planOf, isShort);
    await redis.stop();
    if (record) await writeReliability();
    return hasHeld ? 0 : 1;
  },
);

async function followAll(
  { chosen, open, isKept }: Followed,
  planOf: (scenario: Scenario) => Plan,
  isShort: boolean,
): Promise<boolean> {
  let hasHeld = true;
  const all: Explored[] = [];
  for (const scenario of chosen) {
    const lab = await open(scenario);
    const plan = planOf(scenario);
    const explored = await explore(lab, plan);
    all.push(explored);
    say(line(scenario.name, plan, explored));
    if (isKept) keepExplored(scenario.name, plan, explored);
    if (explored.violation !== undefined) await tellStory(lab, plan, explored.violation, isShort);
    const holds = await followStories(lab);
    if (explored.violation !== undefined || !holds) hasHeld = false;
    if (isShort && !hasHeld) return false;
  }
  const sum = (of: (one: Explored) => number) => all.reduce((total, one) => total + of(one), 0);
  const whole = sum(({ isWhole }) => Number(isWhole));
  say(
    `${all.length} scenarios, ${whole} of them to their end: ${sum(({ states }) => states)} states, ${sum(({ orders }) => orders)} orders; ${Math.round(sum(({ ms }) => ms) / 1_000)} s`,
  );
  return hasHeld;
}

function keepExplored(name: string, { bounds: { faults, jumps } }: Plan, explored: Explored): void {
  const { states, orders, steps, ms, isWhole, violation } = explored;
  const counts = { states, orders, steps, seconds: Math.round(ms / 1_000) };
  keep({ scenarios: [{ name, faults, jumps, ...counts, isWhole, violations: violation ? 1 : 0 }] });
}

function line(name: string, { bounds: { faults, jumps } }: Plan, explored: Explored): string {
  const { states, orders, ends, steps, ms, isWhole } = explored;
  const extent = isWhole ? "all" : "NOT ALL";
  return `${name}: faults ${faults}, time passes ${jumps} times: ${extent} ${states} states, ${steps} steps in ${orders} orders, ${ends} followed until the job ended; ${(ms / 1_000).toFixed(1)} s`;
}

async function followStories(lab: Laboratory): Promise<boolean> {
  let hasHeld = true;
  for (const { title, path, refused = [] } of storiesOf(lab.scenario)) {
    let steps = refused.length;
    const found = await repeat(lab, STORY, path, () => {
      steps += 1;
    });
    const isWhole = found === undefined && steps === path.length;
    say(`  ${isWhole ? "holds" : "BROKEN"}: ${title}`);
    if (!isWhole) hasHeld = false;
  }
  return hasHeld;
}

async function walkAll({ chosen, open, isKept }: Followed, walks: number, seed: number): Promise<boolean> {
  let [steps, violations] = [0, 0];
  for (const scenario of chosen) {
    const lab = await open(scenario);
    for (let index = 0; index < walks; index += 1) {
      const random = createRandom(seed).fork(`${scenario.name} ${index}`);
      const walked = await walk(lab, BEYOND, random);
      steps += walked.steps;
      if (walked.violation === undefined) continue;
      violations += 1;
      say(`walk ${index} of seed ${seed}:`);
      await tellStory(lab, BEYOND, walked.violation);
    }
  }
  const all = walks * chosen.length;
  const { faults } = BEYOND.bounds;
  say(`${all} walks with up to ${faults} faults, ${steps} steps, seed ${seed}: ${violations} broken`);
  if (isKept) keep({ walks: { walks: all, steps, violations } });
  return violations === 0;
}

async function tellStory(lab: Laboratory, plan: Plan, violation: Violation, isShort = false): Promise<void> {
  say(`BROKEN ${lab.scenario.name}: ${violation.what}`);
  if (isShort) return;
  const shortest = await shrink(lab, plan, violation);
  say(`  ${shortest.what}`);
  await repeat(lab, plan, shortest.path, (text) => void say(`  ${text}`));
}

/** @returns whether each mutant is killed, or need not be */
async function breakConditions(
  { chosen: scenarios, open, isKept }: Followed,
  files: readonly string[],
  onlyLeft: boolean,
): Promise<boolean> {
  const keepSoFar = (rows: readonly KeptMutant[]) => isKept && keepMutants(rows);
  const mutants = await tryMutants({ scenarios, open, files, onlyLeft, keep: keepSoFar });
  if (isKept) keepMutants(mutants);
  const survivors = mutants.filter(({ outcome }) => outcome === "survived");
  say(`${survivors.length} of ${mutants.length} survive`);
  return survivors.length === 0;
}

/** With what the experiments have kept. */
async function writeReliability(): Promise<void> {
  const { experiments } = await import("../faults/experiments/index.ts");
  const { readResults } = await import("../faults/lib/kept-results.ts");
  const { writeReport } = await import("../faults/lib/report.ts");
  writeReport(readResults(), experiments, true);
}
