import { setTimeout as sleep } from "node:timers/promises";
import { actJob } from "../lib/act-jobs.ts";
import { noCounts } from "../lib/checker.ts";
import type { Acknowledged } from "../lib/client.ts";
import type { Context, Control, Experiment } from "../lib/experiment.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutKey } from "../lib/mutations.ts";
import { allEnded, LONG_LOCK, type Testbed, withTestbed } from "../lib/testbed.ts";

export const trimmedJob: Experiment = {
  number: 14,
  title: "The key of a removed job is submitted again",
  fault:
    "completed jobs are removed by retention (HOLDFAST_KEEP_COMPLETED=1); the same keys are submitted again",
  mustHold: "no new job and no second effect within the key's retention",
  async run(context) {
    const count = context.isQuick ? 10 : 200;
    const seen = await submitAgain(context, count, undefined);
    const control = await keyControl(context);
    return {
      counts: { ...noCounts, acknowledged: count, repeated: seen.repeated, faults: seen.removed },
      measured: [
        `${seen.removed} of ${count} jobs removed before their key was submitted again; ${seen.newJobs} new jobs, ${seen.otherIds} answers with another id`,
      ],
      broken: [
        ...(seen.newJobs > 0 ? [`${seen.newJobs} keys made a second job`] : []),
        ...(seen.otherIds > 0 ? [`${seen.otherIds} keys were answered with another id`] : []),
        ...(seen.repeated > 0 ? [`${seen.repeated} effects repeated`] : []),
        ...(seen.removed + seen.failed < 0.9 * count
          ? [`only ${seen.removed} of ${count} jobs had been removed`]
          : []),
        ...(seen.failed > 0.5 * count ? [`${seen.failed} of ${count} jobs failed`] : []),
      ],
      controls: [control],
    };
  },
};

interface Seen {
  readonly removed: number;
  /** Kept, since they failed: on a busy machine an effect can time out. */
  readonly failed: number;
  readonly newJobs: number;
  readonly otherIds: number;
  readonly repeated: number;
}

async function submitAgain(context: Context, count: number, mutation: Mutation | undefined): Promise<Seen> {
  const options = {
    workers: 1,
    env: { ...LONG_LOCK, HOLDFAST_KEEP_COMPLETED: "1" },
    ...(mutation && { mutation }),
  };
  return await withTestbed(options, async (testbed) => {
    const jobs = Array.from({ length: count }, (_, index) => actJob(`trim-${index}`, context.random));
    const first: (Acknowledged | undefined)[] = [];
    for (const job of jobs) first.push(await testbed.client.submit(job));
    await allEnded(testbed, 60_000);
    const { removed, failed } = await countKept(testbed, first);
    context.say(`${removed} of ${count} jobs removed`);
    let newJobs = 0;
    let otherIds = 0;
    for (const [index, job] of jobs.entries()) {
      const again = await testbed.client.submit(job);
      if (again?.isDuplicate === false) newJobs += 1;
      if (again?.id !== first[index]?.id) otherIds += 1;
    }
    // A second job would have had its effect by now.
    await sleep(1_000);
    const witnessed = testbed.witnessed();
    return {
      removed,
      failed,
      newJobs,
      otherIds,
      repeated: witnessed.length - new Set(witnessed.map(({ key }) => key)).size,
    };
  });
}

/** The newest completed job stays, and so do failed ones. */
async function countKept({ client }: Testbed, jobs: readonly (Acknowledged | undefined)[]) {
  const found = await Promise.all(jobs.map((job) => client.status(job?.id ?? "")));
  return {
    removed: found.filter((status) => status === undefined).length,
    failed: found.filter((status) => status?.state === "failed").length,
  };
}

async function keyControl(context: Context): Promise<Control> {
  context.say("control: without key");
  const { newJobs, removed } = await submitAgain(context, 5, withoutKey);
  return {
    protection: "key",
    isCaught: newJobs > 0,
    seen: `${newJobs} second jobs for ${removed} removed ones`,
  };
}
