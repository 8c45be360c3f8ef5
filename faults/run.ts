import { parseArgs } from "node:util";
import { experiments } from "./experiments/index.ts";
import { noCounts } from "./lib/checker.ts";
import { type Experiment, hasHeld, type Outcome } from "./lib/experiment.ts";
import { endAllWithUs } from "./lib/processes.ts";
import { type Board, openBoard } from "./lib/progress.ts";
import { createRandom } from "./lib/random.ts";
import { type Finished, printOutcome, writeReport } from "./lib/report.ts";
import { inLanes } from "./lib/waiting.ts";

const usage = `npm run faults -- [options]

Hurts real processes and a real store, and checks the guarantees against a witness outside of them.

  --quick        the short form: the same faults, fewer of them; some four minutes
  --only 1,5     these experiments alone
  --seed N       replays the schedule of an earlier run (0 to 4294967295)
  --list         lists the experiments
  --help         this text

The full form takes at most half an hour and writes docs/RELIABILITY.md, when all experiments ran.
Exit codes: 0 all guarantees held and every control was caught, 1 not so, 2 wrong usage.`;

/** Experiments mostly wait for locks and deadlines to pass, so that several fit on two cores. */
const LANES = { quick: 4, full: 3 };

process.exitCode = await main();
// Whatever an experiment left behind must not keep this process.
process.exit();

async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) return 2;
  if (options.help) return say(usage);
  if (options.list) return say(experiments.map(({ number, title }) => `${number}\t${title}`).join("\n"));
  endAllWithUs();
  const { quick: isQuick, seed, chosen } = options;
  say(`Fault laboratory: ${isQuick ? "short form" : "full form"}, seed ${seed}`);
  const finished: Finished[] = [];
  const board = openBoard();
  await inLanes(chosen, isQuick ? LANES.quick : LANES.full, async (experiment) => {
    finished.push(await run(experiment, seed, isQuick, board));
  });
  board.close();
  finished.sort((a, b) => a.experiment.number - b.experiment.number);
  if (!isQuick && chosen.length === experiments.length) writeReport(finished, seed);
  const failed = finished.filter(({ outcome }) => !hasHeld(outcome));
  for (const { experiment, outcome } of failed) {
    const uncaught = outcome.controls.filter(({ isCaught }) => !isCaught);
    const reasons = [
      ...outcome.broken,
      ...uncaught.map(({ protection }) => `control without ${protection}: not caught`),
    ];
    say(`✗ ${experiment.number} ${experiment.title} (seed ${seed}): ${reasons.join("; ")}`);
  }
  return failed.length === 0 ? 0 : 1;
}

async function run(experiment: Experiment, seed: number, isQuick: boolean, board: Board): Promise<Finished> {
  const startedAt = performance.now();
  const progress = board.add(`${experiment.number} ${experiment.title}`);
  const random = createRandom(seed).fork(String(experiment.number));
  const outcome = await experiment.run({ random, isQuick, say: progress.say }).catch(brokenDown);
  progress.end(hasHeld(outcome) ? "✓" : "✗");
  printOutcome(experiment, outcome, seed);
  return { experiment, outcome, seconds: (performance.now() - startedAt) / 1_000 };
}

/** An experiment that could not be carried out has shown nothing. */
function brokenDown(error: unknown): Outcome {
  const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { counts: noCounts, measured: [], broken: [`the experiment broke down: ${reason}`], controls: [] };
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        quick: { type: "boolean", default: false },
        only: { type: "string" },
        seed: { type: "string" },
        list: { type: "boolean", default: false },
        help: { type: "boolean", default: false, short: "h" },
      },
    });
    const wanted = values.only?.split(",").map(Number);
    const unknown = wanted?.find((number) => !experiments.some((experiment) => experiment.number === number));
    const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(values.seed);
    if (unknown !== undefined) throw new TypeError(`--only: there is no experiment ${unknown}; see --list`);
    if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32)
      throw new TypeError("--seed: expected a whole number from 0 to 4294967295");
    const chosen = experiments.filter(({ number }) => wanted?.includes(number) ?? true);
    return { ...values, seed, chosen };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${usage}\n`);
    return undefined;
  }
}

function say(text: string): 0 {
  process.stdout.write(`${text}\n`);
  return 0;
}
