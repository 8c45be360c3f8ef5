import { runCommand, say, UsageError, wholeNumber } from "../../test/support/command.ts";
import { type Explored, explore, type Plan, repeat, shrink } from "./lib/explorer.ts";
import { openRedis } from "./lib/open.ts";
import type { Laboratory, Scenario } from "./lib/run.ts";
import { tryMutants } from "./mutants/try-mutants.ts";
import { scenarios } from "./scenarios.ts";
import { stories } from "./stories.ts";

const usage = `npm run explore -- [options]

Runs the real code of an attempt and of the ledger in every order of its steps, with faults between any two of them.

  --quick             the short form: fewer faults at a time
  --scenario NAME     only this one: ${scenarios.map(({ name }) => name).join(", ")}
  --faults N          how many faults at a time (0 to 4)
  --seconds N         how long to follow one scenario (1 to 3600; default 600)
  --mutants           breaks each condition of the ledger's scripts, one at a time: the short form has to notice
  --script NAME       breaks only this script
  --help              shows this text

Exit codes: 0 no promise is broken, 1 one is, 2 wrong usage.`;

await runCommand(
  usage,
  {
    quick: { type: "boolean", default: false },
    scenario: { type: "string" },
    faults: { type: "string" },
    seconds: { type: "string", default: "600" },
    mutants: { type: "boolean", default: false },
    script: { type: "string" },
  },
  async ({ quick, mutants, script, ...given }) => {
    const chosen = scenarios.filter(({ name }) => given.scenario === undefined || given.scenario === name);
    if (chosen.length === 0) throw new UsageError(`--scenario: expected one of those in --help`);
    const faults = given.faults === undefined ? undefined : wholeNumber("--faults", given.faults, 0, 4);
    const untilMs = 1_000 * wholeNumber("--seconds", given.seconds, 1, 3_600);
    const redis = await openRedis();
    const open = (scenario: Scenario) => redis.open(scenario);
    const hasHeld = mutants
      ? await breakConditions(redis.store, chosen, open, script)
      : await followAll(chosen, open, (one) => ({
          bounds: { ...(quick ? one.quick : one.whole), ...(faults !== undefined && { faults }) },
          untilMs,
        }));
    await redis.stop();
    return hasHeld ? 0 : 1;
  },
);

async function followAll(
  chosen: readonly Scenario[],
  open: (scenario: Scenario) => Promise<Laboratory>,
  planOf: (scenario: Scenario) => Plan,
): Promise<boolean> {
  let hasHeld = true;
  for (const scenario of chosen) {
    const lab = await open(scenario);
    const plan = planOf(scenario);
    const explored = await explore(lab, plan);
    say(line(scenario.name, plan, explored));
    if (explored.violation !== undefined) {
      hasHeld = false;
      await tellStory(lab, plan, explored.violation);
    }
    for (const { title, path } of stories.filter((story) => story.scenario === scenario.name)) {
      const found = await repeat(lab, { bounds: { faults: 9, jumps: 9, areLong: true } }, path);
      say(`  ${found === undefined ? "holds" : "BROKEN"}: ${title}`);
      if (found !== undefined) hasHeld = false;
    }
  }
  return hasHeld;
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

async function tellStory(
  lab: Laboratory,
  plan: Plan,
  violation: NonNullable<Explored["violation"]>,
): Promise<void> {
  const shortest = await shrink(lab, plan, violation);
  say(`  ${shortest.what}`);
  await repeat(lab, plan, shortest.path, (text) => void say(`  ${text}`));
}

async function breakConditions(
  store: Laboratory["store"],
  chosen: readonly Scenario[],
  open: (scenario: Scenario) => Promise<Laboratory>,
  script: string | undefined,
): Promise<boolean> {
  async function* labs() {
    for (const scenario of chosen) yield await open(scenario);
  }
  const verdicts = await tryMutants(store, labs, script);
  for (const { mutant, outcome, by } of verdicts)
    say(
      `${outcome} ${mutant.script}:${mutant.line} ${mutant.was.replace(/\s+/g, " ")} → ${mutant.becomes} ${by}`,
    );
  for (const outcome of ["killed", "survived", "unreached"])
    say(`${outcome}: ${verdicts.filter((verdict) => verdict.outcome === outcome).length}`);
  return true;
}
