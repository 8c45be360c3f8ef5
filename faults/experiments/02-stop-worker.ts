import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import type { Table } from "../../test/support/report.ts";
import { actJob, actJobs, repeated } from "../lib/act-jobs.ts";
import { type Bench, LOCK_MS, untilEnded, withBench } from "../lib/bench.ts";
import { check, injectionsIn, type JobRecord, refusals, type Verdict } from "../lib/checker.ts";
import { brokenBy, type Context, type Control, type Experiment } from "../lib/experiment.ts";
import { type InjectionPoint, injectionPoints } from "../lib/inside/points.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutFence, withoutPauseCheck } from "../lib/mutations.ts";
import type { Step } from "../lib/trace-reader.ts";
import { inLanes, until } from "../lib/waiting.ts";

export const stopWorker: Experiment = {
  number: 2,
  title: "A worker is paused for longer than its lock",
  fault: "SIGSTOP at each failpoint, SIGCONT once another worker has claimed the job, or has finished it",
  mustHold: "effects ≤ 1; a late reservation or commit is refused",
  async run(context) {
    const { isQuick } = context;
    const verdict = await stopAtEachPoint(context, isQuick ? 2 : 20, isQuick ? 4 : 8);
    const sleepers = isQuick ? 2 : 6;
    const forgotten = await wakeAfterRetention(context, sleepers, undefined);
    const fenced = await wakeAfterRetention(context, sleepers, withoutPauseCheck);
    const unfenced = await wakeAfterRetention(context, sleepers, withoutFence);
    verdict.counts.faults += forgotten.stops + fenced.stops;
    verdict.counts.refused += forgotten.refused + fenced.refused;
    verdict.counts.acknowledged += forgotten.jobs + fenced.jobs;
    return {
      counts: verdict.counts,
      table: perPoint(verdict.jobs),
      measured: [
        `woken after the key's retention, when the job is gone: ${forgotten.refused} of ${forgotten.stops} refused`,
        `the same without the worker's own check, so that only Redis refuses: ${fenced.refused} of ${fenced.stops}`,
      ],
      broken: [
        ...brokenBy(verdict),
        ...notRefused("woken after the retention", forgotten),
        ...notRefused("woken after the retention, without its own check", fenced),
      ],
      controls: [fenceControl(unfenced)],
    };
  },
};

async function stopAtEachPoint(context: Context, perPointCount: number, workers: number): Promise<Verdict> {
  const injections = repeated(injectionPoints, perPointCount).map((at) => ({ at, how: "stop" }) as const);
  const jobs = actJobs("stop", context.random, injections, 1);
  return await withBench({ workers, immune: 2, concurrency: 2 }, async (bench) => {
    const waker = startWaker(bench, context);
    await inLanes(jobs, workers * 2, async (job) => {
      const accepted = await bench.client.submit(job);
      context.say(`${bench.client.acknowledged.length} of ${jobs.length} jobs, ${waker.stops} pauses`);
      await untilEnded(bench, accepted?.id);
    });
    await waker.stop();
    const verdict = await check(bench, 30_000);
    verdict.counts.faults = waker.stops;
    return verdict;
  });
}

interface Waker {
  readonly stops: number;
  stop(): Promise<void>;
}

const WAKE_WITHIN_MS = 8_000;
/** After it was woken, a worker gets this long to do what it still had in mind. */
const AFTERMATH_MS = 300;

/** Wakes each worker that has stopped itself, by turns as soon as another has begun the job and once it has ended. */
function startWaker(bench: Bench, context: Context): Waker {
  const seen = new Set<string>();
  const waking = new Set<Promise<void>>();
  let isStopping = false;
  const watching = (async () => {
    while (!isStopping) {
      for (const inject of injectionsIn(bench.trace.read())) {
        if (seen.has(inject.jobId)) continue;
        seen.add(inject.jobId);
        const wakes = wake(bench, inject, context.random.pick(["taken", "ended"] as const));
        waking.add(wakes);
        wakes.finally(() => waking.delete(wakes));
      }
      await sleep(50);
    }
  })();
  return {
    get stops() {
      return seen.size;
    },
    async stop() {
      isStopping = true;
      await watching;
      await Promise.all(waking);
      await sleep(AFTERMATH_MS);
    },
  };
}

async function wake(bench: Bench, inject: Step, when: "taken" | "ended"): Promise<void> {
  const worker = bench.workers.find(({ life }) => life === inject.life);
  const since = performance.now();
  const isTaken = () =>
    bench.trace.read().some(({ jobId, life, event }) => {
      return jobId === inject.jobId && life !== inject.life && event === "begun";
    });
  const isEnded = async () => {
    const status = await bench.client.status(inject.jobId);
    return status?.state === "completed" || status?.state === "failed";
  };
  await until(
    async () => performance.now() - since > 1.2 * LOCK_MS && (when === "taken" ? isTaken() : await isEnded()),
    { withinMs: WAKE_WITHIN_MS },
  );
  worker?.signal("SIGCONT");
}

/** What the workers that were paused at each point came to. */
function perPoint(jobs: readonly JobRecord[]): Table {
  const rows = injectionPoints.map((point) => {
    const struck = jobs.filter((job) => struckAt(job) === point);
    const doubted = struck.filter(({ status }) => status?.error?.code === "EFFECT_IN_DOUBT");
    return [
      point,
      struck.length,
      struck.filter(({ told }) => told > 1).length,
      struck.filter(({ steps }) => refusals(steps) > 0).length,
      struck.filter(finishedInVain).length,
      doubted.filter(({ told }) => told > 0).length,
      doubted.filter(({ told }) => told === 0).length,
      struck.filter(({ status }) => status?.state === "completed").length,
    ];
  });
  return {
    head: [
      "paused at",
      "N",
      "repeated",
      "refused",
      "finish refused",
      "in doubt, was done",
      "in doubt, was not",
      "completed",
    ],
    rows,
  };
}

/** The paused worker went on to the end of its attempt, and the store did not take it. */
function finishedInVain({ steps }: JobRecord): boolean {
  const [inject] = injectionsIn(steps);
  const own = steps.filter(({ life }) => life === inject?.life).map(({ event }) => event);
  return own.includes("finish:before") && !own.includes("finish:after");
}

function struckAt({ steps }: JobRecord): InjectionPoint | undefined {
  return injectionsIn(steps)[0]?.detail.split("@")[1] as InjectionPoint | undefined;
}

interface Awakening {
  readonly jobs: number;
  readonly stops: number;
  readonly refused: number;
  /** Reservations that were granted to a worker that had lost its job. */
  readonly letIn: number;
  readonly repeated: number;
}

const RETENTION_MS = 1_000;

/**
 * Workers are stopped just before they reserve, and sleep until others have done the effect and the store has forgotten
 * the job, its key and its ledger: then only the fence stands between them and a second effect.
 */
async function wakeAfterRetention(
  context: Context,
  count: number,
  cut: Mutation | undefined,
): Promise<Awakening> {
  context.say(`asleep beyond the retention${cut === undefined ? "" : `, without ${cut.name}`}`);
  const options = {
    workers: count,
    immune: 1,
    concurrency: 1,
    env: { HOLDFAST_RETENTION_MS: String(RETENTION_MS) },
    ...(cut !== undefined && { cut }),
  };
  return await withBench(options, async (bench) => {
    const inject = { at: "reserve:before", how: "stop" } as const;
    for (let index = 0; index < count; index += 1)
      await bench.client.submit(actJob(`asleep-${index}`, context.random, inject));
    await until(() => bench.told().length >= count, { withinMs: 20_000 });
    await until(() => isForgotten(bench), { withinMs: 20_000, everyMs: 100 });
    const stops = injectionsIn(bench.trace.read());
    for (const worker of bench.workers) worker.signal("SIGCONT");
    const settled = (step: Step) => ["threw", "effect:recorded"].includes(step.event);
    const isAwake = ({ life, jobId }: Step) =>
      bench.trace.read().some((step) => step.life === life && step.jobId === jobId && settled(step));
    await until(() => stops.every(isAwake), { withinMs: 10_000 });
    const told = bench.told();
    const isLetIn = ({ life, jobId }: Step) =>
      bench.trace
        .read()
        .some((step) => step.life === life && step.jobId === jobId && step.event === "reserve:after");
    return {
      jobs: count,
      stops: stops.length,
      refused: refusals(bench.trace.read()),
      letIn: stops.filter(isLetIn).length,
      repeated: told.length - new Set(told.map(({ key }) => key)).size,
    };
  });
}

/** The job, its key and its ledger: that is remembered for the retention from its job's end on. */
async function isForgotten({ store }: Bench): Promise<boolean> {
  const redis = new Redis(store.url);
  try {
    const [ledgers, keys] = await Promise.all(["ledger", "de"].map((name) => redis.keys(`*:${name}:*`)));
    return ledgers?.length === 0 && keys?.length === 0;
  } finally {
    redis.disconnect();
  }
}

function notRefused(what: string, { stops, letIn, repeated }: Awakening): string[] {
  return [
    ...(repeated > 0 ? [`${what}: ${repeated} effects repeated`] : []),
    ...(letIn > 0 ? [`${what}: ${letIn} of ${stops} reservations were granted`] : []),
  ];
}

function fenceControl({ stops, letIn, repeated }: Awakening): Control {
  return {
    protection: "fence",
    isCaught: letIn > 0 && repeated > 0,
    seen: `${letIn} of ${stops} paused workers let in, ${repeated} effects repeated`,
  };
}
