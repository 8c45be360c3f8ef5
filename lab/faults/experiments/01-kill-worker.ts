import type { Table } from "../../../test/support/report.ts";
import { groupBy } from "../../lib/group-by.ts";
import { inLanes, until } from "../../lib/waiting.ts";
import { actJobs, repeated } from "../lib/act-jobs.ts";
import { check, injectionsIn, isGivenUp, type JobRecord, type Verdict } from "../lib/checker.ts";
import { brokenBy, type Context, type Experiment } from "../lib/experiment.ts";
import { type InjectionPoint, injectionPoints } from "../lib/inside/points.ts";
import { type Testbed, type TestbedOptions, untilEnded, withTestbed } from "../lib/testbed.ts";
import type { Step } from "../lib/trace-reader.ts";

export const killWorker: Experiment = {
  number: 1,
  title: "A worker is killed",
  fault: "SIGKILL of the worker at each failpoint",
  mustHold: "effects ≤ 1 per key; in doubt exactly if nobody could know",
  async run(context) {
    const size = context.isQuick
      ? { perPoint: 1, plain: 1, workers: 3 }
      : { perPoint: 24, plain: 4, workers: 6 };
    const { verdict, dead } = await killAtEachPoint(context, size, {});
    return {
      counts: verdict.counts,
      table: perPoint(verdict.jobs, dead),
      measured: [],
      broken: [...brokenBy(verdict), ...wrongAtPoints(verdict.jobs, dead)],
      controls: [],
    };
  },
};

interface Size {
  readonly perPoint: number;
  /** Jobs without an injected fault for each job with one. */
  readonly plain: number;
  readonly workers: number;
}

interface Killed {
  /** Parents of flows that have not completed. */
  readonly openParents: readonly string[];
  readonly flows: number;
  readonly verdict: Verdict;
  /** Worker processes that were killed. */
  readonly dead: ReadonlySet<string>;
}

export async function killAtEachPoint(
  context: Context,
  size: Size,
  options: Partial<TestbedOptions>,
): Promise<Killed> {
  const injections = repeated(injectionPoints, size.perPoint).map((at) => ({ at, how: "kill" }) as const);
  const jobs = actJobs("kill", context.random, injections, size.plain);
  return await withTestbed({ workers: size.workers, concurrency: 2, ...options }, async (testbed) => {
    // A small window, so that each death hits some bystanders, but not all.
    await inLanes(jobs, size.workers * 3, async (job) => {
      const accepted = await testbed.client.submit(job);
      context.say(
        `${testbed.client.acknowledged.length} of ${jobs.length} jobs, ${testbed.deaths.length} kills`,
      );
      await untilEnded(testbed, accepted?.id);
    });
    const verdict = await check(testbed, 120_000);
    verdict.counts.faults = testbed.deaths.length;
    const openParents = await parentsNotCompleted(testbed, 60_000);
    return {
      verdict,
      openParents,
      flows: testbed.client.parents.length,
      dead: new Set(testbed.deaths.map(({ life }) => life)),
    };
  });
}

/** A parent runs when its children have ended, whatever became of them. */
async function parentsNotCompleted({ client }: Testbed, withinMs: number): Promise<string[]> {
  const open = new Set(client.parents);
  const look = async () => {
    await inLanes([...open], 8, async (id) => {
      if ((await client.status(id))?.state === "completed") open.delete(id);
    });
    return open.size === 0;
  };
  await until(look, { withinMs, everyMs: 100 });
  return [...open];
}

/** Outcomes per point, of jobs that no other death hit. */
export function perPoint(jobs: readonly JobRecord[], dead: ReadonlySet<string>): Table {
  const rows = injectionPoints.map((point) => {
    const injected = jobs.filter((job) => injectionAt(job) === point && isHitOnce(job, dead));
    const inDoubt = injected.filter(isInDoubt);
    return [
      point,
      injected.length,
      injected.filter(({ witnessed }) => witnessed > 1).length,
      inDoubt.filter(({ witnessed }) => witnessed > 0).length,
      inDoubt.filter(({ witnessed }) => witnessed === 0).length,
      injected.filter(({ status }) => status?.state === "completed").length,
      injected.filter(({ status }) => status === undefined).length,
    ];
  });
  return {
    head: ["killed at", "N", "repeated", "in doubt, was done", "in doubt, was not", "completed", "lost"],
    rows,
  };
}

const nobodyKnows: ReadonlySet<InjectionPoint> = new Set([
  "reserve:after",
  "effect:begun",
  "effect:recorded",
  "commit:before",
]);

/** A job killed inside the window must be in doubt; one killed outside must not. */
export function wrongAtPoints(jobs: readonly JobRecord[], dead: ReadonlySet<string>): string[] {
  return jobs.flatMap((job) => {
    const point = injectionAt(job);
    if (point === undefined || !isHitOnce(job, dead) || nobodyKnows.has(point) === isInDoubt(job)) return [];
    return [`${job.key}: killed at ${point} and ${job.status?.state} ${job.status?.error?.code ?? ""}`];
  });
}

/** Only the worker with the injected fault died at this job, and no worker gave up. */
function isHitOnce({ steps }: JobRecord, dead: ReadonlySet<string>): boolean {
  const [inject] = injectionsIn(steps);
  const lives = groupBy(steps, ({ life }) => life);
  const hits = [...lives].filter(([life, own]) => dead.has(life) && !own.some(isLeft));
  return hits.every(([life]) => life === inject?.life) && !steps.some(isGivenUp);
}

/** The worker had finished its attempt, or snoozed the job because another worker may hold the effect. */
function isLeft({ event, detail }: Step): boolean {
  return event === "finish:after" || (event === "threw" && detail.startsWith("EFFECT_BUSY"));
}

function injectionAt({ steps }: JobRecord): InjectionPoint | undefined {
  const [inject] = injectionsIn(steps);
  return inject?.detail.split("@")[1] as InjectionPoint | undefined;
}

function isInDoubt({ status }: JobRecord): boolean {
  return status?.state === "failed" && status.error?.code === "EFFECT_IN_DOUBT";
}
