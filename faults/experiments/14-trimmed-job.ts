import { setTimeout as sleep } from "node:timers/promises";
import { actJob } from "../lib/act-jobs.ts";
import { allEnded, type Bench, withBench } from "../lib/bench.ts";
import { noCounts } from "../lib/checker.ts";
import type { Acknowledged } from "../lib/client.ts";
import type { Context, Control, Experiment } from "../lib/experiment.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutKey } from "../lib/mutations.ts";

export const trimmedJob: Experiment = {
  number: 14,
  title: "A job is removed, and its key comes again",
  fault:
    "completed jobs are removed by retention (HOLDFAST_KEEP_COMPLETED=1); the same keys are submitted again",
  mustHold: "no new job and no second effect within the key's retention",
  async run(context) {
    const count = context.isQuick ? 10 : 200;
    const seen = await comeAgain(context, count, undefined);
    const control = await keyControl(context);
    return {
      counts: { ...noCounts, acknowledged: count, repeated: seen.repeated, faults: seen.removed },
      measured: [
        `${seen.removed} of ${count} jobs removed before their key came again; ${seen.newJobs} new jobs, ${seen.otherIds} answers with another id`,
      ],
      broken: [
        ...(seen.newJobs > 0 ? [`${seen.newJobs} keys made a second job`] : []),
        ...(seen.otherIds > 0 ? [`${seen.otherIds} keys were answered with another id`] : []),
        ...(seen.repeated > 0 ? [`${seen.repeated} effects repeated`] : []),
        ...(seen.removed < 0.9 * count ? [`only ${seen.removed} of ${count} jobs had been removed`] : []),
      ],
      controls: [control],
    };
  },
};

interface Seen {
  readonly removed: number;
  readonly newJobs: number;
  readonly otherIds: number;
  readonly repeated: number;
}

async function comeAgain(context: Context, count: number, cut: Mutation | undefined): Promise<Seen> {
  const options = { workers: 1, env: { HOLDFAST_KEEP_COMPLETED: "1" }, ...(cut && { cut }) };
  return await withBench(options, async (bench) => {
    const jobs = Array.from({ length: count }, (_, index) => actJob(`trim-${index}`, context.random));
    const first: (Acknowledged | undefined)[] = [];
    for (const job of jobs) first.push(await bench.client.submit(job));
    await allEnded(bench, 60_000);
    const removed = await countRemoved(bench, first);
    context.say(`${removed} of ${count} jobs removed`);
    let newJobs = 0;
    let otherIds = 0;
    for (const [index, job] of jobs.entries()) {
      const again = await bench.client.submit(job);
      if (again?.isDuplicate === false) newJobs += 1;
      if (again?.id !== first[index]?.id) otherIds += 1;
    }
    // A second job would have its effect by now.
    await sleep(1_000);
    const told = bench.told();
    return { removed, newJobs, otherIds, repeated: told.length - new Set(told.map(({ key }) => key)).size };
  });
}

/** The newest completed job stays; the others go when it completes. One that failed, on a busy machine, stays too. */
async function countRemoved({ client }: Bench, jobs: readonly (Acknowledged | undefined)[]): Promise<number> {
  const found = await Promise.all(jobs.map((job) => client.status(job?.id ?? "")));
  return found.filter((status) => status === undefined).length;
}

async function keyControl(context: Context): Promise<Control> {
  context.say("control: without key");
  const { newJobs, removed } = await comeAgain(context, 5, withoutKey);
  return {
    protection: "key",
    isCaught: newJobs > 0,
    seen: `${newJobs} second jobs for ${removed} removed ones`,
  };
}
