import { resolve } from "node:path";
import { inspect } from "node:util";
import { runCommand, say, seedFrom, UsageError } from "../../test/support/command.ts";
import { createRandom } from "../../test/support/random.ts";
import { storeVersion } from "../../test/support/report.ts";
import { inLanes } from "../lib/waiting.ts";
import { experiments, removed } from "./experiments/index.ts";
import { noCounts } from "./lib/checker.ts";
import { type Experiment, hasHeld, type Outcome } from "./lib/experiment.ts";
import { mergeResults, type Result, readResults, writeResults } from "./lib/kept-results.ts";
import { type Board, openBoard } from "./lib/progress.ts";
import { printOutcome, writeReport } from "./lib/report.ts";
import { rollingUpgrade } from "./lib/rolling-upgrade.ts";

const usage = `npm run faults -- [options]

Injects faults into real processes and a real Redis, and checks the guarantees against a witness outside of them.

  --quick        the short form: the same faults, but fewer, in some five minutes
  --only 1,5     only these experiments
  --record       writes the short form's results, too, where there are none of the full form
  --older DIR    only a rolling upgrade, and back, between this build and another checkout's; writes no report
  --flow         with tenants, limits of keys, flows and pauses in use; writes no report
  --seed N       repeats the schedule of an earlier run (0 to 4294967295)
  --list         lists the experiments
  --help         shows this text

The full form takes some 50 minutes on two cores. It writes docs/RELIABILITY.md, a summary, and keeps there what it did not run.
Both forms write all results to docs/whole/RELIABILITY.md.
Exit codes: 0 all guarantees held and every control was caught, 1 otherwise, 2 wrong usage.`;

/** Experiments mostly wait for locks and deadlines, so several fit on two cores. */
const LANES = { quick: 4, full: 3 };

/** Those with a cluster or a Sentinel set. Of Valkey only these have rows of their own; the others do the same there. */
const WITH_REPLICAS = [17, 27, 38, 39, 47, 51, 52];

await runCommand(
  usage,
  {
    quick: { type: "boolean", default: false },
    record: { type: "boolean", default: false },
    flow: { type: "boolean", default: false },
    older: { type: "string" },
    only: { type: "string" },
    seed: { type: "string" },
    list: { type: "boolean", default: false },
  },
  async ({ quick: isQuick, record, flow, older, only, list, ...given }) => {
    if (flow) process.env.LAB_FLOW = "yes";
    if (list) return say(experiments.map(({ number, title }) => `${number}\t${title}`).join("\n"));
    const seed = seedFrom(given.seed);
    const chosen =
      older === undefined ? experimentsWith(only?.split(",").map(Number)) : [rollingUpgrade(resolve(older))];
    say(`Fault laboratory: ${isQuick ? "short form" : "full form"}, seed ${seed}`);
    const finished = await runAll(chosen, seed, isQuick);
    if (!flow && older === undefined) keep(finished, !isQuick || record);
    const failed = finished.filter(({ outcome }) => !hasHeld(outcome));
    for (const each of failed) say(failureLine(each, seed));
    return failed.length === 0 ? 0 : 1;
  },
);

function experimentsWith(numbers: readonly number[] | undefined): readonly Experiment[] {
  const unknown = numbers?.find((number) => !experiments.some((experiment) => experiment.number === number));
  if (unknown !== undefined) {
    const instead = removed[unknown];
    const why = instead === undefined ? "see --list" : `it is gone: ${instead}`;
    throw new UsageError(`--only: there is no experiment ${unknown}; ${why}`);
  }
  return experiments.filter(({ number }) => numbers?.includes(number) ?? true);
}

function keep(finished: readonly Result[], isRecorded: boolean): void {
  const own = finished.filter(({ number, store }) => store === undefined || WITH_REPLICAS.includes(number));
  const results = mergeResults(readResults(), own);
  if (isRecorded) writeResults(results);
  writeReport(results, experiments, isRecorded);
}

async function runAll(chosen: readonly Experiment[], seed: number, isQuick: boolean): Promise<Result[]> {
  const finished: Result[] = [];
  const board = openBoard();
  await inLanes(slowestFirst(chosen), isQuick ? LANES.quick : LANES.full, async (experiment) => {
    finished.push(await run(experiment, seed, isQuick, board));
  });
  board.close();
  return finished.sort((a, b) => a.number - b.number);
}

/** As long as they took in the results that are kept: one that began last would run alone at the end. */
function slowestFirst(chosen: readonly Experiment[]): readonly Experiment[] {
  const seconds = new Map(readResults().map((kept) => [kept.number, kept.seconds]));
  const took = ({ number }: Experiment) => seconds.get(number) ?? 0;
  return [...chosen].sort((a, b) => took(b) - took(a));
}

function failureLine({ number, outcome: { broken, controls } }: Result, seed: number): string {
  const uncaught = controls.filter(({ isCaught }) => !isCaught);
  const reasons = [
    ...broken,
    ...uncaught.map(({ protection }) => `control without ${protection}: not caught`),
  ];
  const title = experiments.find((experiment) => experiment.number === number)?.title ?? "";
  return `✗ ${number} ${title} (seed ${seed}): ${reasons.join("; ")}`;
}

async function run(experiment: Experiment, seed: number, isQuick: boolean, board: Board): Promise<Result> {
  const startedAt = performance.now();
  const store = storeVersion();
  const progress = board.add(`${experiment.number} ${experiment.title}`);
  const random = createRandom(seed).fork(String(experiment.number));
  const outcome = await experiment.run({ random, isQuick, say: progress.say }).catch(brokenDown);
  progress.end(hasHeld(outcome) ? "✓" : "✗");
  printOutcome(experiment, outcome, seed);
  return {
    number: experiment.number,
    form: isQuick ? "short" : "full",
    date: new Date().toISOString().slice(0, 10),
    seed,
    seconds: Math.round((performance.now() - startedAt) / 1_000),
    outcome,
    ...(store.startsWith("Valkey") && { store }),
  };
}

/** An experiment that could not be run shows nothing. */
function brokenDown(error: unknown): Outcome {
  const reason = inspect(error);
  return { counts: noCounts, measured: [], broken: [`the experiment broke down: ${reason}`], controls: [] };
}
