import { setTimeout as sleep } from "node:timers/promises";
import { inLanes, until } from "../../lib/waiting.ts";
import { actJob } from "../lib/act-jobs.ts";
import { check } from "../lib/checker.ts";
import { brokenBy, type Context, type Experiment } from "../lib/experiment.ts";
import { type Testbed, withTestbed } from "../lib/testbed.ts";

export const outage: Experiment = {
  number: 8,
  title: "Redis is away for a while",
  fault:
    "Redis is killed, or stopped so that it accepts connections without answering, for 1, 7 and 60 s; idle and busy",
  mustHold: "every worker resumes without a manual restart",
  async run(context) {
    const plan = context.isQuick ? quickPlan : fullPlan;
    return await withTestbed({ workers: 3, concurrency: 4 }, async (testbed) => {
      const rows: (string | number)[][] = [];
      const broken: string[] = [];
      let faults = 0;
      for (const { forMs, times, load } of plan) {
        const recoveries: number[] = [];
        for (let time = 0; time < times; time += 1) {
          const how = context.random.pick(["killed", "stopped"] as const);
          context.say(`${how} for ${forMs / 1_000} s, ${load}`);
          const seen = await recoverFrom(testbed, context, forMs, load, how);
          faults += 1;
          recoveries.push(...seen.recoveries);
          if (seen.isStuck) broken.push(`not every worker resumed after ${forMs} ms (${how}, ${load})`);
        }
        rows.push([forMs / 1_000, load, times, recoveries.length, p50(recoveries), Math.max(...recoveries)]);
      }
      const verdict = await check(testbed, 120_000);
      verdict.counts.faults = faults;
      return {
        counts: verdict.counts,
        table: { head: ["away (s)", "load", "outages", "recoveries", "p50 (ms)", "max (ms)"], rows },
        measured: ["a worker has recovered when it has started a job after Redis is back"],
        broken: [...brokenBy(verdict), ...broken],
        controls: [],
      };
    });
  },
};

type Load = "idle" | "busy";
interface Step {
  readonly forMs: number;
  readonly times: number;
  readonly load: Load;
}

const quickPlan: readonly Step[] = [
  { forMs: 1_000, times: 1, load: "idle" },
  { forMs: 1_000, times: 1, load: "busy" },
];
const fullPlan: readonly Step[] = (["idle", "busy"] as const).flatMap((load) => [
  { forMs: 1_000, times: 6, load },
  { forMs: 7_000, times: 2, load },
  { forMs: 60_000, times: 1, load },
]);

const STUCK_AFTER_MS = 60_000;
const LANES = 6;
const LOAD_PAUSE_MS = 50;

let outages = 0;

async function recoverFrom(
  testbed: Testbed,
  context: Context,
  forMs: number,
  load: Load,
  how: "killed" | "stopped",
): Promise<{ recoveries: number[]; isStuck: boolean }> {
  outages += 1;
  let isOver = false;
  const submit = async (name: string) => {
    const keys = (function* () {
      for (let index = 0; !isOver; index += 1) yield `outage-${outages}-${name}-${index}`;
    })();
    await inLanes(keys, LANES, async (key) => {
      await testbed.client.submit(actJob(key, context.random));
      await sleep(LOAD_PAUSE_MS);
    });
  };
  const before = load === "busy" ? submit("busy") : Promise.resolve();
  await sleep(500);
  const backAt =
    how === "killed" ? (await testbed.outages.kill(forMs)).to : await testbed.outages.pause(forMs);
  const after = submit("after");
  const begun = await until(() => begunAfter(testbed, backAt), { withinMs: STUCK_AFTER_MS });
  isOver = true;
  await Promise.all([before, after]);
  return { recoveries: begun ?? [], isStuck: begun === undefined };
}

/** @returns how long each worker took to begin a job again; undefined while one has not */
function begunAfter({ trace, workers }: Testbed, backAt: number): number[] | undefined {
  const steps = trace.read().filter(({ event, at }) => event === "begun" && at >= backAt);
  const firsts = workers.flatMap(({ life }) => steps.find((step) => step.life === life)?.at ?? []);
  return firsts.length === workers.length ? firsts.map((at) => at - backAt) : undefined;
}

function p50(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
