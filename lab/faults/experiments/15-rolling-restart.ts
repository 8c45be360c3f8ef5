import { QueueEvents } from "bullmq";
import type { JobStatus } from "holdfast";
import { inLanes } from "../../lib/waiting.ts";
import { actJob } from "../lib/act-jobs.ts";
import { check, isGivenUp, isStartedTwice } from "../lib/checker.ts";
import { brokenBy, type Context, type Experiment } from "../lib/experiment.ts";
import { LONG_LOCK, type Testbed, untilEnded, withTestbed } from "../lib/testbed.ts";

export const rollingRestart: Experiment = {
  number: 15,
  title: "Workers are restarted one by one",
  fault: "SIGTERM and a new process, one worker at a time, under load",
  mustHold: "nothing stalled, repeated, in doubt or started twice",
  async run(context) {
    const restarts = context.isQuick ? 3 : 30;
    return await withTestbed({ workers: 3, concurrency: 8, env: LONG_LOCK }, async (testbed) => {
      const stalled = await countStalled(testbed, () => restartInTurn(testbed, context, restarts));
      const verdict = await check(testbed, 120_000);
      const { counts, jobs } = verdict;
      counts.faults = restarts;
      const twice = jobs.filter(isStartedTwice);
      // An effect can time out on a busy machine; the restart did not cause that.
      const late = jobs.filter(({ status, steps }) => isInDoubt(status) && steps.some(isGivenUp)).length;
      const inDoubt = counts.doubtDone + counts.doubtNotDone - late;
      return {
        counts,
        measured: [
          `${restarts} restarts: ${stalled.count} jobs stalled, ${twice.length} started twice, ${inDoubt} in doubt (and ${late} by their own time-out), ` +
            `${stalled.result} workers did not end by themselves`,
        ],
        broken: [
          ...brokenBy(verdict),
          ...(stalled.count > 0 ? [`${stalled.count} jobs stalled`] : []),
          ...(twice.length > 0 ? [`${twice.length} jobs were started twice`] : []),
          ...(inDoubt > 0 ? [`${inDoubt} effects in doubt`] : []),
          ...(stalled.result > 0 ? [`${stalled.result} workers did not exit cleanly`] : []),
        ],
        controls: [],
      };
    });
  },
};

const LANES = 30;

function isInDoubt(status: JobStatus | undefined): boolean {
  return status?.state === "failed" && status.error?.code === "EFFECT_IN_DOUBT";
}

/** @returns the number of workers that did not exit with 0 */
async function restartInTurn(testbed: Testbed, { random, say }: Context, restarts: number): Promise<number> {
  let isOver = false;
  let unclean = 0;
  const keys = (function* () {
    for (let index = 0; !isOver; index += 1) yield `rolling-${index}`;
  })();
  const load = inLanes(keys, LANES, async (key) => {
    const accepted = await testbed.client.submit(actJob(key, random));
    await untilEnded(testbed, accepted?.id);
  });
  for (let restart = 0; restart < restarts; restart += 1) {
    const worker = testbed.workers[restart % testbed.workers.length];
    if ((await worker?.replace()) !== 0) unclean += 1;
    await worker?.ready();
    say(`${restart + 1} of ${restarts} restarts, ${testbed.client.acknowledged.length} jobs`);
  }
  isOver = true;
  await load;
  return unclean;
}

async function countStalled<T>(
  testbed: Testbed,
  run: () => Promise<T>,
): Promise<{ count: number; result: T }> {
  const events = new QueueEvents("{default}", {
    prefix: "holdfast",
    connection: { url: testbed.store.url },
  });
  let count = 0;
  events.on("error", () => {});
  events.on("stalled", () => {
    count += 1;
  });
  try {
    await events.waitUntilReady();
    const result = await run();
    return { result, count };
  } finally {
    await events.close();
  }
}
