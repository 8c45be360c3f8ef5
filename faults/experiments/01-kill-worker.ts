import type { Table } from "../../test/support/report.ts";
import { actJobs, repeated } from "../lib/act-jobs.ts";
import { type BenchOptions, untilEnded, withBench } from "../lib/bench.ts";
import { check, injectionsIn, isGivenUp, type JobRecord, type Verdict } from "../lib/checker.ts";
import { brokenBy, type Context, type Control, type Experiment } from "../lib/experiment.ts";
import { groupBy } from "../lib/group-by.ts";
import { type InjectionPoint, injectionPoints } from "../lib/inside/points.ts";
import { withoutReservation } from "../lib/mutations.ts";
import type { Step } from "../lib/trace-reader.ts";
import { inLanes } from "../lib/waiting.ts";

export const killWorker: Experiment = {
  number: 1,
  title: "A worker is killed",
  fault: "SIGKILL of the worker at each failpoint",
  mustHold: "effects ≤ 1 per key; in doubt exactly if nobody could know",
  async run(context) {
    const size = context.isQuick
      ? { perPoint: 2, plain: 1, workers: 3 }
      : { perPoint: 24, plain: 4, workers: 6 };
    const { verdict, dead } = await killAtEachPoint(context, size, {});
    const control = await reservationControl(context);
    return {
      counts: verdict.counts,
      table: perPoint(verdict.jobs, dead),
      measured: [],
      broken: [...brokenBy(verdict), ...wrongAtPoints(verdict.jobs, dead)],
      controls: [control],
    };
  },
};

interface Size {
  readonly perPoint: number;
  /** Jobs without a strike for each one with. */
  readonly plain: number;
  readonly workers: number;
}

interface Killed {
  readonly verdict: Verdict;
  /** The worker processes that were killed. */
  readonly dead: ReadonlySet<string>;
}

async function killAtEachPoint(
  context: Context,
  size: Size,
  options: Partial<BenchOptions>,
): Promise<Killed> {
  const injections = repeated(injectionPoints, size.perPoint).map((at) => ({ at, how: "kill" }) as const);
  const jobs = actJobs("kill", context.random, injections, size.plain);
  return await withBench({ workers: size.workers, concurrency: 2, ...options }, async (bench) => {
    // So few at a time that a death takes some bystanders with it, but not all.
    await inLanes(jobs, size.workers * 3, async (job) => {
      const accepted = await bench.client.submit(job);
      context.say(`${bench.client.acknowledged.length} of ${jobs.length} jobs, ${bench.deaths.length} kills`);
      await untilEnded(bench, accepted?.id);
    });
    const verdict = await check(bench, 60_000);
    verdict.counts.faults = bench.deaths.length;
    return { verdict, dead: new Set(bench.deaths.map(({ life }) => life)) };
  });
}

async function reservationControl(context: Context): Promise<Control> {
  context.say("control: without reservation");
  const size = { perPoint: 1, plain: 0, workers: 3 };
  const { verdict } = await killAtEachPoint(context, size, { cut: withoutReservation });
  return {
    protection: "reservation",
    isCaught: verdict.counts.repeated > 0,
    seen: `${verdict.counts.repeated} effects repeated in ${verdict.counts.acknowledged} jobs`,
  };
}

/** What became of the jobs that were struck at each point, as far as no other death hit them too. */
function perPoint(jobs: readonly JobRecord[], dead: ReadonlySet<string>): Table {
  const rows = injectionPoints.map((point) => {
    const struck = jobs.filter((job) => struckAt(job) === point && isHitOnce(job, dead));
    const inDoubt = struck.filter(isInDoubt);
    return [
      point,
      struck.length,
      struck.filter(({ told }) => told > 1).length,
      inDoubt.filter(({ told }) => told > 0).length,
      inDoubt.filter(({ told }) => told === 0).length,
      struck.filter(({ status }) => status?.state === "completed").length,
      struck.filter(({ status }) => status === undefined).length,
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

/** A job struck inside the window must be in doubt, and one struck outside of it must not. */
function wrongAtPoints(jobs: readonly JobRecord[], dead: ReadonlySet<string>): string[] {
  return jobs.flatMap((job) => {
    const point = struckAt(job);
    if (point === undefined || !isHitOnce(job, dead) || nobodyKnows.has(point) === isInDoubt(job)) return [];
    return [`${job.key}: killed at ${point} and ${job.status?.state} ${job.status?.error?.code ?? ""}`];
  });
}

/** Of the workers that began the job only the one that was struck at it died at it, and none gave up by itself. */
function isHitOnce({ steps }: JobRecord, dead: ReadonlySet<string>): boolean {
  const [inject] = injectionsIn(steps);
  const lives = groupBy(steps, ({ life }) => life);
  const hits = [...lives].filter(([life, own]) => dead.has(life) && !own.some(isLeft));
  return hits.every(([life]) => life === inject?.life) && !steps.some(isGivenUp);
}

/** The worker had ended its attempt, or put the job off because another may have been at it. */
function isLeft({ event, detail }: Step): boolean {
  return event === "finish:after" || (event === "threw" && detail.startsWith("EFFECT_BUSY"));
}

function struckAt({ steps }: JobRecord): InjectionPoint | undefined {
  const [inject] = injectionsIn(steps);
  return inject?.detail.split("@")[1] as InjectionPoint | undefined;
}

function isInDoubt({ status }: JobRecord): boolean {
  return status?.state === "failed" && status.error?.code === "EFFECT_IN_DOUBT";
}
