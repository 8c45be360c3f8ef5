import type { StandaloneOperator } from "holdfast";
import { until } from "../../lib/waiting.ts";
import { actJob } from "../lib/act-jobs.ts";
import { type Counts, check } from "../lib/checker.ts";
import { brokenBy, type Context, type Control, controlOf, type Experiment } from "../lib/experiment.ts";
import { patiently } from "../lib/inside/patiently.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutQuestion } from "../lib/mutations.ts";
import type { Role } from "../lib/role.ts";
import { type Testbed, untilEnded, withTestbed } from "../lib/testbed.ts";
import { outcomeOf, withOperator } from "../lib/with-operator.ts";

export const pendingRuns: Experiment = {
  number: 37,
  title: "A doubt is resolved while its first run is paused",
  fault:
    "workers are paused inside effects that ignore their signal; an operator says not done, which is true at that moment, and the workers run on",
  mustHold: "nobody says not done unasked; the next run has a higher fence",
  async run(context) {
    const [seen, control] = await Promise.all([
      resolveEarly(context, context.isQuick ? 2 : 40),
      questionControl({ ...context, random: context.random.fork("control") }),
    ]);
    const { rounds } = seen;
    const times = (kind: (round: Round) => boolean) => rounds.filter(kind).length;
    return {
      counts: seen.counts,
      measured: [
        `${times(isAsked)} of ${rounds.length} resolutions were questioned first`,
        `confirmed all the same, ${times(({ fences }) => fences.length > 1)} effects happened twice, each time with a higher fence`,
      ],
      broken: [...seen.broken, ...rounds.flatMap(brokenIn)],
      controls: [control],
    };
  },
};

interface Round {
  readonly key: string;
  /** What an operator was answered who did not confirm. */
  readonly answer: string;
  /** Of the runs that acted, in the order in which they began. */
  readonly fences: readonly number[];
}

function isAsked({ answer }: Round): boolean {
  return answer === "RUN_MAY_BE_PENDING";
}

function brokenIn(round: Round): string[] {
  const { key, answer, fences } = round;
  const isRising = fences.every((fence, index) => index === 0 || fence > (fences[index - 1] ?? 0));
  return [
    ...(isAsked(round) ? [] : [`${key}: not done was answered ${answer} while the first run was paused`]),
    ...(isRising ? [] : [`${key}: fences were ${fences.join(", ")}`]),
  ];
}

interface Resolved {
  readonly rounds: readonly Round[];
  readonly counts: Counts;
  readonly broken: readonly string[];
}

async function resolveEarly(context: Context, times: number): Promise<Resolved> {
  return await resolveWhilePaused(context, times, undefined, async (testbed, rounds) => {
    const verdict = await check(testbed, 60_000);
    const counts = { ...verdict.counts, faults: times };
    // Those were confirmed.
    const repeated = rounds.filter((round) => isAsked(round) && round.fences.length > 1).length;
    counts.repeated -= repeated;
    return { rounds, counts, broken: brokenBy({ ...verdict, counts }) };
  });
}

async function questionControl(context: Context): Promise<Control> {
  return await resolveWhilePaused(context, 1, withoutQuestion, async (_, rounds) =>
    controlOf(withoutQuestion.name, rounds.flatMap(brokenIn)),
  );
}

/** One worker for each round, which is paused, and one that goes on. */
async function resolveWhilePaused<T>(
  context: Context,
  times: number,
  mutation: Mutation | undefined,
  use: (testbed: Testbed, rounds: readonly Round[]) => Promise<T>,
): Promise<T> {
  const options = { workers: 1, immune: 1, concurrency: 1, ...(mutation && { mutation }) };
  return await withTestbed(options, async (testbed) => {
    const rounds = await withOperator(testbed, async (operator) => {
      const done: Round[] = [];
      for (let round = 0; round < times; round += 1) {
        context.say(`round ${round + 1} of ${times}`);
        done.push(await pauseAndResolve(testbed, operator, context, `pending-${round}`));
      }
      return done;
    });
    return await use(testbed, rounds);
  });
}

const PAUSED_WITHIN_MS = 30_000;
const ACTED_WITHIN_MS = 10_000;

async function pauseAndResolve(
  testbed: Testbed,
  operator: StandaloneOperator,
  { random }: Context,
  key: string,
): Promise<Round> {
  const job = actJob(key, random, { at: "effect:begun", how: "stop" });
  const heedless = { ...job, payload: { ...job.payload, isHeedless: true } };
  const { id = "" } = (await testbed.client.submit(heedless)) ?? {};
  const paused = await until(() => pausedBy(testbed, id), { withinMs: PAUSED_WITHIN_MS });
  await untilEnded(testbed, id);
  const resolve = (confirm: boolean) =>
    patiently(() => {
      const resolution = { as: "not-done", evidence: "the witness", by: "laboratory" } as const;
      return operator.resolve(id, "notify", { ...resolution, ...(confirm && { confirm }) });
    });
  const answer = await outcomeOf(resolve(false));
  if (answer === "RUN_MAY_BE_PENDING") await resolve(true);
  await untilEnded(testbed, id);
  const acts = () => testbed.witnessed().filter((effect) => effect.job === key);
  const before = acts().length;
  paused?.signal("SIGCONT");
  await until(() => acts().length > before, { withinMs: ACTED_WITHIN_MS });
  const fences = acts().map(({ fence = 0, life }) => ({ fence, isFirst: life === paused?.life }));
  const inOrder = fences.sort((a, b) => Number(b.isFirst) - Number(a.isFirst));
  return { key, answer, fences: inOrder.map(({ fence }) => fence) };
}

/** The worker that has paused itself inside this job's effect. */
function pausedBy({ trace, workers }: Testbed, id: string): Role | undefined {
  const step = trace.read().find(({ event, jobId }) => event === "injected" && jobId === id);
  return workers.find(({ life }) => life === step?.life);
}
