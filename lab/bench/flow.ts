import { runCommand, say, UsageError } from "../../test/support/command.ts";
import { startRedisServer } from "../../test/support/redis-server.ts";
import { plainTable } from "../../test/support/report.ts";
import { measureBudgetCost, measureBudgetRun } from "./flow/budget.ts";
import { measureCost } from "./flow/cost.ts";
import { measureDebounced } from "./flow/debounced.ts";
import { measureHistory } from "./flow/history.ts";
import { measureKeyed } from "./flow/keyed.ts";
import { measureLargeFlow } from "./flow/large-flow.ts";
import { measureOrder } from "./flow/order.ts";
import { measureRates, type RateCost } from "./flow/rates.ts";
import { type Lateness, measureBurst, measureSchedules } from "./flow/schedules.ts";
import { measureTags } from "./flow/tags.ts";
import { measureBullmqMetrics, measureWorkerHistory } from "./flow/worker-history.ts";

const usage = `npm run flow -- [options]

Measures flow control. Each row prints what it measured:

  fairness   when a small tenant's job starts behind a large one's, how weights are served, what a fair submission costs Redis
  keyed      jobs that run one at a time for each key, against the same without keys; none beside another of its key, or out of order
  flow       a flow of many children: how long it takes; its parent reads each once
  schedules  a scheduler with 10,000 schedules that were put at run time, beside 10
  budget     a budget in bytes: what it costs, and many more ended jobs than it has room for
  rates      what a rate for each key costs Redis, and how many jobs a worker runs beside no rate
  debounce   what a debounced submission costs Redis, beside a delayed one
  tags       lists by tag with many jobs
  history    its bytes, and a worker with and without it, beside BullMQ's own metrics

  --only ROW  one row; may be given several times
  --quick     a short form
  --help      shows this text

Exit codes: 0 all is as promised, 1 something is not, 2 wrong usage.`;

const full = {
  waiting: 100_000,
  rounds: 60,
  keyed: { jobs: 100_000, keys: 1_000, workers: 4, rounds: 2 },
  children: 10_000,
  drained: { jobs: 20_000, rounds: 15 },
  scheduled: { schedules: 10_000, seconds: 60 },
  budget: { bytes: 300 * 1024 * 1024, keepBytes: 50 * 1024 * 1024 },
  rated: { jobs: 10_000, rounds: 5 },
};
const quick = {
  waiting: 10_000,
  rounds: 10,
  keyed: { jobs: 5_000, keys: 250, workers: 4, rounds: 1 },
  children: 1_000,
  drained: { jobs: 4_000, rounds: 6 },
  scheduled: { schedules: 10_000, seconds: 15 },
  budget: { bytes: 60 * 1024 * 1024, keepBytes: 10 * 1024 * 1024 },
  rated: { jobs: 1_000, rounds: 4 },
};
type Size = typeof full;
const SLOTS = 10;
const HISTORY_TYPES = 20;
const MEGABYTE = 1024 * 1024;
const DRAINED_ROUNDS = 5;
/** A scheduler's cost must not grow with the schedules that are not due. */
const COST_GROWTH_MAX = 1.5;
/** Of Redis's time for a job, where a feature is used, beside a job without it. */
const USED_MAX = 1.3;

/** Each resolves to whether what it looked at is as promised. */
const rows: Readonly<Record<string, (url: string, size: Size) => Promise<boolean>>> = {
  fairness: fairQueues,
  keyed: oneAtATime,
  flow: largeFlow,
  schedules: storedSchedules,
  budget: keptWithinBudget,
  rates,
  debounce: debounced,
  tags,
  history,
};

await runCommand(
  usage,
  { quick: { type: "boolean", default: false }, only: { type: "string", multiple: true } },
  async ({ quick: isQuick, only = Object.keys(rows) }) => {
    const chosen = only.map((name) => {
      const row = Object.hasOwn(rows, name) ? rows[name] : undefined;
      if (row === undefined) throw new UsageError(`--only: expected one of ${Object.keys(rows).join(", ")}`);
      return row;
    });
    // The disk is not measured.
    const server = await startRedisServer({ args: ["--appendfsync", "no"] });
    try {
      let isAsPromised = true;
      for (const measure of chosen) {
        if (!(await measure(server.url, isQuick ? quick : full))) isAsPromised = false;
      }
      return isAsPromised ? 0 : 1;
    } finally {
      await server.stop();
    }
  },
);

async function fairQueues(url: string, { waiting, rounds }: Size): Promise<boolean> {
  const { startedAs, ratio } = await measureOrder(url, { waiting, slots: SLOTS });
  const size = { rounds, jobsEach: 320, tenants: 1_000 };
  const costs = [await measureCost(url, 1, size), await measureCost(url, 32, size)];
  say(`With ${waiting} jobs of a large tenant waiting, a small one's job started as number ${startedAs}.`);
  say(`Weights 3 and 1: ${ratio.toFixed(2)} to 1.`);
  const rows = costs.map(({ together, plainUs, fairUs, ratio: cost }) => [
    together,
    plainUs.toFixed(1),
    fairUs.toFixed(1),
    cost.toFixed(2),
  ]);
  say(plainTable({ head: ["submissions in one command", "plain, µs of Redis", "fair", "ratio"], rows }));
  return startedAs <= SLOTS + 1 && Math.abs(ratio / 3 - 1) < 0.05;
}

async function oneAtATime(url: string, { keyed }: Size): Promise<boolean> {
  const cost = await measureKeyed(url, keyed);
  say(
    `${keyed.jobs} jobs, ${keyed.workers} workers: ${Math.round(cost.plain)} a second; one at a time for each of ${keyed.keys} ` +
      `keys ${Math.round(cost.keyed)}, ${cost.ratio.toFixed(2)} times as many, ${cost.early} too early or out of order.`,
  );
  return cost.early === 0;
}

async function rates(url: string, { rated }: Size): Promise<boolean> {
  const { bare, looking, plain, ...used } = await measureRates(url, rated);
  const times = (one: RateCost, other: RateCost) => one.us / other.us;
  say(
    `Redis's time to submit and run a job: ${bare.us.toFixed(1)} µs, ${looking.us.toFixed(1)} where features may hold it back ` +
      `(${times(looking, bare).toFixed(2)} times as much).`,
  );
  const row = (name: string, cost: RateCost) => [
    name,
    cost.us.toFixed(1),
    times(cost, plain).toFixed(2),
    Math.round(cost.perSecond),
  ];
  const many = `the same, ${rated.jobs / 2} keys`;
  say(
    plainTable({
      head: ["with Holdfast's worker", "µs of Redis", "ratio", "run a second"],
      rows: [
        row("no rate", plain),
        row("a rate that is never reached, 1 key", used.oneKey),
        row(many, used.manyKeys),
        row("half of the jobs held, 1 key", used.oneKeyHeld),
        row(many, used.manyKeysHeld),
      ],
    }),
  );
  // What holding costs has no goal: such a job takes a second way through Redis.
  return [used.oneKey, used.manyKeys].every((cost) => times(cost, plain) <= USED_MAX);
}

async function largeFlow(url: string, { children }: Size): Promise<boolean> {
  const flow = await measureLargeFlow(url, children);
  const [submitted, ran, read] = [flow.submittedMs, flow.ranMs, flow.readMs].map(Math.round);
  say(
    `A flow of ${children} children: submitted in ${submitted} ms, run in ${ran} ms, read in ${read} ms; each child once: ${flow.isWhole}.`,
  );
  return flow.isWhole;
}

async function debounced(url: string, { rounds }: Size): Promise<boolean> {
  const costs = [await measureDebounced(url, 1, rounds), await measureDebounced(url, 32, rounds)];
  const rows = costs.map(({ together, delayedUs, debouncedUs, ratio }) => [
    together,
    delayedUs.toFixed(1),
    debouncedUs.toFixed(1),
    ratio.toFixed(2),
  ]);
  const head = [
    "submissions in one command",
    "delayed, µs of Redis",
    "debounced, each replaces one",
    "ratio",
  ];
  say(plainTable({ head, rows }));
  return costs.every(({ ratio }) => ratio <= USED_MAX);
}

async function keptWithinBudget(url: string, { drained, budget }: Size): Promise<boolean> {
  const { plainUs, budgetUs } = await measureBudgetCost(url, { jobs: drained.jobs, rounds: DRAINED_ROUNDS });
  say(
    `A budget in bytes: ${budgetUs.toFixed(1)} µs of Redis's processor for a job in place of ${plainUs.toFixed(1)} where BullMQ removes the oldest, ` +
      `${(budgetUs / plainUs).toFixed(2)} times as much.`,
  );
  const megabytes = (bytes: number) => (bytes / MEGABYTE).toFixed(1);
  const run = await measureBudgetRun(url, budget.bytes, budget.keepBytes);
  const rows = run.levels.map(({ atMs, ended, usedBytes, estimate }) => [
    (atMs / 1_000).toFixed(0),
    ended,
    megabytes(usedBytes),
    megabytes(estimate),
  ]);
  say(plainTable({ head: ["seconds", "ended", "used_memory, MB more", "estimate, MB"], rows }));
  say(
    `${run.ended} jobs, ${megabytes(budget.bytes)} MB, against a budget of ${megabytes(budget.keepBytes)} MB: ${run.kept.completed} completed and ` +
      `${run.kept.failed} failed are kept; ${run.wronged} went that must stay; of ${run.tried} keys of removed jobs ${run.remembered} are remembered.`,
  );
  say(
    `The estimate is ${megabytes(run.estimate)} MB, MEMORY USAGE of what is kept ${megabytes(run.reported)}, and used_memory grew by ` +
      `${megabytes(run.used)} without keys, ledgers and events: ${(run.estimate / run.used).toFixed(3)}.`,
  );
  const isNear = Math.abs(run.estimate / run.reported - 1) <= 0.1;
  const isCheap = budgetUs / plainUs <= USED_MAX;
  return (
    isCheap && isNear && run.estimate <= budget.keepBytes && run.wronged === 0 && run.remembered === run.tried
  );
}

async function tags(url: string, { waiting }: Size): Promise<boolean> {
  const { rareMs, totalMs, commonMs, largeBytes, smallBytes } = await measureTags(url, waiting);
  say(
    `With ${waiting} jobs, GET /jobs?tag=… of 50: ${rareMs.toFixed(1)} ms for a rare tag (${totalMs.toFixed(1)} ms with total=true), ` +
      `${commonMs.toFixed(1)} ms for one that all have.`,
  );
  say(
    `Memory of an entry: ${largeBytes.toFixed(0)} bytes in a large tag, ${smallBytes.toFixed(0)} in a small one.`,
  );
  return true;
}

async function storedSchedules(url: string, { scheduled: { schedules, seconds } }: Size): Promise<boolean> {
  const few = await measureSchedules(url, 10, seconds);
  const many = await measureSchedules(url, schedules, seconds);
  const burst = await measureBurst(url, schedules);
  const late = ({ p50, p99, most }: Lateness) => `${p50}, ${p99}, ${most}`;
  const rows = [few, many].map(({ schedules: count, cpuMs, commands, lateMs }) => [
    count,
    cpuMs.toFixed(1),
    commands.toFixed(0),
    late(lateMs),
  ]);
  const head = ["schedules, 10 of them each second", "scheduler, ms a second", "Redis's commands a second"];
  say(plainTable({ head: [...head, "late: p50, p99, most, ms"], rows }));
  say(`${schedules} schedules at one instant: late by ${late(burst)} ms (p50, p99, most).`);
  return many.cpuMs / few.cpuMs <= COST_GROWTH_MAX && many.commands / few.commands <= COST_GROWTH_MAX;
}

async function history(url: string, { drained }: Size): Promise<boolean> {
  const { types, bytesPerType, textBytes, fieldBytes, bullmqBytes, attemptNs } = await measureHistory(
    url,
    HISTORY_TYPES,
  );
  const kilobytes = (bytes: number) => `${Math.round(bytes / 1_000)} kB`;
  say(
    `History of ${types} busy types: ${kilobytes(bytesPerType)} each, ${Math.round(attemptNs)} ns to count an attempt. ` +
      `BullMQ's metrics of a queue for 14 days: ${kilobytes(bullmqBytes)}.`,
  );
  say(
    `Two days of minutes of a busy type: ${kilobytes(textBytes)} as texts, ${kilobytes(fieldBytes)} with a field for each number, ` +
      `${(fieldBytes / textBytes).toFixed(1)} times as much.`,
  );
  const worker = await measureWorkerHistory(url, drained);
  say(
    `A worker with history: ${Math.round(worker.counting)} jobs a second, without ${Math.round(worker.silent)}; the median of ` +
      `${drained.rounds} rounds' ratios is ${worker.ratio.toFixed(3)}. Its process for a job: ${worker.countingUs.toFixed(1)} and ${worker.silentUs.toFixed(1)} µs.`,
  );
  const { plainUs, meteredUs } = await measureBullmqMetrics(url, drained);
  say(
    `BullMQ's metrics: ${meteredUs.toFixed(1)} µs of Redis's processor for a job in place of ${plainUs.toFixed(1)}, ` +
      `${(100 * (meteredUs / plainUs - 1)).toFixed(1)} % more.`,
  );
  return true;
}
