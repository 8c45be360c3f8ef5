import { QueueEvents } from "bullmq";
import type { JobStatus } from "holdfast";
import { actJob } from "../lib/act-jobs.ts";
import { type Bench, untilEnded, withBench } from "../lib/bench.ts";
import { check, isGivenUp } from "../lib/checker.ts";
import { brokenBy, type Context, type Experiment } from "../lib/experiment.ts";
import { inLanes } from "../lib/waiting.ts";

export const rollingRestart: Experiment = {
  number: 15,
  title: "Workers are restarted one after the other",
  fault: "SIGTERM and a new process, one worker at a time, under load",
  mustHold: "nothing stalled, repeated, in doubt or started twice",
  async run(context) {
    const restarts = context.isQuick ? 3 : 30;
    return await withBench(
      { workers: 3, concurrency: 8, env: { HOLDFAST_LOCK_MS: LOCK_MS } },
      async (bench) => {
        const stalled = await countStalled(bench, () => restartInTurn(bench, context, restarts));
        const verdict = await check(bench, 60_000);
        const { counts, jobs } = verdict;
        counts.faults = restarts;
        const twice = jobs.filter(({ steps }) => steps.filter(({ event }) => event === "begun").length > 1);
        // On a busy machine an effect can run out of its time; that is no restart's doing.
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
            ...(stalled.result > 0 ? [`${stalled.result} workers did not end cleanly`] : []),
          ],
          controls: [],
        };
      },
    );
  },
};

/** Nobody dies here, so the lock need not be short; with a short one a busy machine would count as a fault. */
const LOCK_MS = "5000";
const LANES = 30;

function isInDoubt(status: JobStatus | undefined): boolean {
  return status?.state === "failed" && status.error?.code === "EFFECT_IN_DOUBT";
}

/** @returns how many workers did not exit with 0 */
async function restartInTurn(bench: Bench, { random, say }: Context, restarts: number): Promise<number> {
  let isOver = false;
  let unclean = 0;
  const keys = (function* () {
    for (let index = 0; !isOver; index += 1) yield `rolling-${index}`;
  })();
  const load = inLanes(keys, LANES, async (key) => {
    const accepted = await bench.client.submit(actJob(key, random));
    await untilEnded(bench, accepted?.id);
  });
  for (let restart = 0; restart < restarts; restart += 1) {
    const worker = bench.workers[restart % bench.workers.length];
    if ((await worker?.replace()) !== 0) unclean += 1;
    await worker?.ready();
    say(`${restart + 1} of ${restarts} restarts, ${bench.client.acknowledged.length} jobs`);
  }
  isOver = true;
  await load;
  return unclean;
}

async function countStalled<T>(bench: Bench, run: () => Promise<T>): Promise<{ count: number; result: T }> {
  const events = new QueueEvents("{default}", {
    prefix: "holdfast",
    connection: { url: bench.store.url },
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
