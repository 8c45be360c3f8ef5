import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import type { Table } from "../../../test/support/report.ts";
import { inLanes, until } from "../../lib/waiting.ts";
import { actJob, actJobs, repeated } from "../lib/act-jobs.ts";
import { check, injectionsIn, type JobRecord, refusals, type Verdict } from "../lib/checker.ts";
import { brokenBy, type Context, type Control, type Experiment, untilCaught } from "../lib/experiment.ts";
import { type InjectionPoint, injectionPoints } from "../lib/inside/points.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutFence, withoutPauseCheck } from "../lib/mutations.ts";
import { LOCK_MS, type Testbed, untilEnded, withTestbed } from "../lib/testbed.ts";
import type { Step } from "../lib/trace-reader.ts";

export const stopWorker: Experiment = {
  number: 2,
  title: "A worker is paused for longer than its lock",
  fault: "SIGSTOP at each failpoint, SIGCONT once another worker has claimed the job, or has finished it",
  mustHold: "effects ≤ 1; a late reservation or commit is refused",
  async run(context) {
    const { isQuick } = context;
    const sleepers = isQuick ? 2 : 6;
    const awake = (mutation?: Mutation) => {
      const random = context.random.fork(mutation?.name ?? "no mutation");
      return wakeAfterRetention({ ...context, random }, sleepers, mutation);
    };
    const [verdict, [forgotten, fenced], control] = await Promise.all([
      stopAtEachPoint(context, isQuick ? 2 : 20, isQuick ? 4 : 8),
      awake().then(async (first) => [first, await awake(withoutPauseCheck)] as const),
      untilCaught(3, async () => fenceControl(await awake(withoutFence))),
    ]);
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
        ...notRefused("resumed after the retention", forgotten),
        ...notRefused("resumed after the retention, without its own check", fenced),
      ],
      controls: [control],
    };
  },
};

async function stopAtEachPoint(context: Context, perPointCount: number, workers: number): Promise<Verdict> {
  const injections = repeated(injectionPoints, perPointCount).map((at) => ({ at, how: "stop" }) as const);
  const jobs = actJobs("stop", context.random, injections, 1);
  return await withTestbed({ workers, immune: 2, concurrency: 2 }, async (testbed) => {
    const waker = startWaker(testbed, context);
    await inLanes(jobs, workers * 2, async (job) => {
      const accepted = await testbed.client.submit(job);
      context.say(`${testbed.client.acknowledged.length} of ${jobs.length} jobs, ${waker.stops} pauses`);
      await untilEnded(testbed, accepted?.id);
    });
    await waker.stop();
    const verdict = await check(testbed, 120_000);
    verdict.counts.faults = waker.stops;
    return verdict;
  });
}

interface Waker {
  readonly stops: number;
  stop(): Promise<void>;
}

const WAKE_WITHIN_MS = 30_000;
/** Time for a resumed worker to finish what it was doing. */
const AFTERMATH_MS = 300;

/** Resumes each paused worker: some once another worker has begun the job, some once the job has ended. */
function startWaker(testbed: Testbed, context: Context): Waker {
  const seen = new Set<string>();
  const waking = new Set<Promise<void>>();
  let isStopping = false;
  const watching = (async () => {
    while (!isStopping) {
      for (const inject of injectionsIn(testbed.trace.read())) {
        if (seen.has(inject.jobId)) continue;
        seen.add(inject.jobId);
        const wakes = wake(testbed, inject, context.random.pick(["claimed", "ended"] as const));
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

async function wake(testbed: Testbed, inject: Step, when: "claimed" | "ended"): Promise<void> {
  const worker = testbed.workers.find(({ life }) => life === inject.life);
  const since = performance.now();
  const isClaimed = () =>
    testbed.trace.read().some(({ jobId, life, event }) => {
      return jobId === inject.jobId && life !== inject.life && event === "begun";
    });
  const isEnded = async () => {
    const status = await testbed.client.status(inject.jobId);
    return status?.state === "completed" || status?.state === "failed";
  };
  await until(
    async () =>
      performance.now() - since > 1.2 * LOCK_MS && (when === "claimed" ? isClaimed() : await isEnded()),
    { withinMs: WAKE_WITHIN_MS },
  );
  worker?.signal("SIGCONT");
}

/** Outcomes of the paused workers, per point. */
function perPoint(jobs: readonly JobRecord[]): Table {
  const rows = injectionPoints.map((point) => {
    const injected = jobs.filter((job) => injectionAt(job) === point);
    const doubted = injected.filter(({ status }) => status?.error?.code === "EFFECT_IN_DOUBT");
    return [
      point,
      injected.length,
      injected.filter(({ witnessed }) => witnessed > 1).length,
      injected.filter(({ steps }) => refusals(steps) > 0).length,
      injected.filter(finishedInVain).length,
      doubted.filter(({ witnessed }) => witnessed > 0).length,
      doubted.filter(({ witnessed }) => witnessed === 0).length,
      injected.filter(({ status }) => status?.state === "completed").length,
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

/** The paused worker finished its attempt, and Redis refused the result. */
function finishedInVain({ steps }: JobRecord): boolean {
  const [inject] = injectionsIn(steps);
  const own = steps.filter(({ life }) => life === inject?.life).map(({ event }) => event);
  return own.includes("finish:before") && !own.includes("finish:after");
}

function injectionAt({ steps }: JobRecord): InjectionPoint | undefined {
  return injectionsIn(steps)[0]?.detail.split("@")[1] as InjectionPoint | undefined;
}

interface Awakening {
  readonly jobs: number;
  readonly stops: number;
  readonly refused: number;
  /** Reservations granted to a worker that had lost its lock. */
  readonly letIn: number;
  readonly repeated: number;
}

const RETENTION_MS = 1_000;

/**
 * Pauses workers just before they reserve, until others have done the effect and Redis has forgotten the job, its key and
 * its ledger. Only the fence then prevents a second effect.
 */
async function wakeAfterRetention(
  context: Context,
  count: number,
  mutation: Mutation | undefined,
): Promise<Awakening> {
  context.say(`paused beyond the retention${mutation === undefined ? "" : `, without ${mutation.name}`}`);
  const options = {
    workers: count,
    immune: 1,
    concurrency: 1,
    env: { HOLDFAST_RETENTION_MS: String(RETENTION_MS) },
    ...(mutation !== undefined && { mutation }),
  };
  return await withTestbed(options, async (testbed) => {
    const inject = { at: "reserve:before", how: "stop" } as const;
    for (let index = 0; index < count; index += 1)
      await testbed.client.submit(actJob(`asleep-${index}`, context.random, inject));
    await until(() => testbed.witnessed().length >= count, { withinMs: 60_000 });
    await until(() => isForgotten(testbed), { withinMs: 60_000, everyMs: 100 });
    const stops = injectionsIn(testbed.trace.read());
    for (const worker of testbed.workers) worker.signal("SIGCONT");
    const hasEnded = (step: Step) => ["threw", "effect:recorded"].includes(step.event);
    const isAwake = ({ life, jobId }: Step) =>
      testbed.trace.read().some((step) => step.life === life && step.jobId === jobId && hasEnded(step));
    await until(() => stops.every(isAwake), { withinMs: 60_000 });
    const witnessed = testbed.witnessed();
    const isLetIn = ({ life, jobId }: Step) =>
      testbed.trace
        .read()
        .some((step) => step.life === life && step.jobId === jobId && step.event === "reserve:after");
    return {
      jobs: count,
      stops: stops.length,
      refused: refusals(testbed.trace.read()),
      letIn: stops.filter(isLetIn).length,
      repeated: witnessed.length - new Set(witnessed.map(({ key }) => key)).size,
    };
  });
}

/** Job, key and ledger are remembered until the retention after the job's end. */
async function isForgotten({ store }: Testbed): Promise<boolean> {
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
