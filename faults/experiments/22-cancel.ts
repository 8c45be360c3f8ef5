import type { StandaloneOperator } from "holdfast";
import { queueKey } from "../../src/queue/queue-keys.ts";
import { actJob, repeated } from "../lib/act-jobs.ts";
import { type Bench, LOCK_MS, withBench } from "../lib/bench.ts";
import { check, type JobRecord, type Verdict } from "../lib/checker.ts";
import type { Submission } from "../lib/client.ts";
import type { Context, Control, Experiment } from "../lib/experiment.ts";
import { injectionPoints } from "../lib/inside/points.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutKeptCancellations } from "../lib/mutations.ts";
import { withHand } from "../lib/store-hand.ts";
import { inLanes, until } from "../lib/waiting.ts";

/** How long a job runs that is cancelled at its claim, and for how long it may do so after the answer. */
const LONG_MS = 4 * LOCK_MS;
const LATE_MS = 3 * LOCK_MS;
/** As many as the workers claim in one go: the first of them is known to its worker only after the last. */
const WAVE = 40;
const END_WITHIN_MS = 30_000;
const CONTROL_TRIES_MAX = 8;
const PREFIX = "lab";
const WORKERS = { workers: 2, concurrency: WAVE / 2, env: { HOLDFAST_PREFIX: PREFIX } };

/** What a cancellation was answered, and when, in milliseconds since 1970. */
interface Answer {
  readonly outcome: string;
  readonly at: number;
}
type Answers = ReadonlyMap<string, Answer>;

export const cancel: Experiment = {
  number: 22,
  title: "Jobs are cancelled at every moment",
  fault:
    "a cancellation right behind the submission, at the moment of the claim, before the reservation, inside the effect, at the completion",
  mustHold:
    "a job that is answered `cancelling` or `cancelled` ends soon; no effect is done that was not reserved before the answer",
  async run(context) {
    const { verdict, answers } = await cancelAtEveryMoment(context);
    const { counts, jobs, findings } = verdict;
    const found = sort(jobs, answers);
    counts.faults = answers.size;
    // A cancelled job is meant to fail, and one that is cancelled inside its effect may leave a doubt.
    counts.failed -= found.cancelled.length;
    counts.unexplained -= jobs.filter((job) => isDoubt(job) && isReserved(job)).length;
    return {
      counts,
      measured: [
        `${answers.size} cancellations were answered: ${tally(answers)}`,
        `${found.cancelled.length} jobs ended as CANCELLED; ${found.completed.length} completed, since they were ending when the answer came`,
      ],
      broken: [
        ...(found.lost.length > 0 ? [`${found.lost.length} cancellations were lost`, ...findings] : []),
        ...(found.undue.length > 0
          ? [`${found.undue.length} effects were done that began after the answer`]
          : []),
      ],
      controls: [await control(context, withoutKeptCancellations)],
    };
  },
};

async function cancelAtEveryMoment(context: Context): Promise<{ verdict: Verdict; answers: Answers }> {
  const { random, isQuick, say } = context;
  return await withOperator(undefined, async (bench, operator) => {
    const answers = new Map<string, Answer>();
    say("at the moment of the claim");
    await cancelAtClaim(bench, operator, answers, isQuick ? 1 : 10);

    const times = isQuick ? 8 : 100;
    const points = repeated(injectionPoints, times);
    say("inside the attempt");
    await submitAll(
      bench,
      points.map((at, index) => actJob(`${at}-${index}`, random, { at, how: "cancel" })),
    );
    say("right behind the submission");
    const early = Array.from({ length: 8 * times }, (_, index) => actJob(`early-${index}`, random));
    await inLanes(early, WAVE, async (submission) => {
      const accepted = await bench.client.submit(submission);
      if (accepted !== undefined) answers.set(accepted.id, await answerOf(operator, accepted.id));
    });

    const verdict = await check(bench, END_WITHIN_MS);
    for (const { event, jobId, detail, at } of bench.trace.read())
      if (event === "answered") answers.set(jobId, { outcome: detail, at });
    return { verdict, answers };
  });
}

/** Cancels each job as soon as the store says that it was claimed; its worker hears of the claim at the same moment. */
async function cancelAtClaim(
  bench: Bench,
  operator: StandaloneOperator,
  answers: Map<string, Answer>,
  waves: number,
): Promise<void> {
  await withHand(bench.store, async (hand) => {
    let after = "0";
    const claimed = async () => {
      const events = queueKey(PREFIX, "default", "events");
      const reply = (await hand.xread("BLOCK", 500, "STREAMS", events, after))?.[0]?.[1] ?? [];
      after = reply.at(-1)?.[0] ?? after;
      return reply.flatMap(([, fields]) =>
        fieldOf(fields, "event") === "active" ? fieldOf(fields, "jobId") : [],
      );
    };
    for (let wave = 1; wave <= waves; wave += 1) {
      const jobs = Array.from({ length: WAVE }, (_, index) => long(`claim-${wave}-${index}`));
      const submitting = submitAll(bench, jobs);
      const areAnswered = async () => {
        for (const id of await claimed()) answers.set(id, await answerOf(operator, id));
        return answers.size >= wave * WAVE;
      };
      await until(areAnswered, { withinMs: END_WITHIN_MS, everyMs: 0 });
      await submitting;
    }
  });
}

function fieldOf(fields: readonly string[], name: string): string {
  return fields[fields.indexOf(name) + 1] ?? "";
}

async function answerOf(operator: StandaloneOperator, id: string): Promise<Answer> {
  const outcome = await operator.cancel(id).catch((error: { code?: string }) => error.code ?? "unanswered");
  return { outcome, at: Date.now() };
}

/** Whether a message comes before the reply to the claim is chance, and on a slow machine a rare one. */
async function control(context: Context, cut: Mutation): Promise<Control> {
  for (let tries = 1; ; tries += 1) {
    context.say(`control: without ${cut.name}, try ${tries}`);
    const outcome = await tryControl(cut);
    if (outcome.isCaught || tries === CONTROL_TRIES_MAX) return outcome;
  }
}

async function tryControl(cut: Mutation): Promise<Control> {
  return await withOperator(cut, async (bench, operator) => {
    const answers = new Map<string, Answer>();
    await cancelAtClaim(bench, operator, answers, 1);
    const { jobs } = await check(bench, END_WITHIN_MS);
    const lost = sort(jobs, answers).lost.length;
    return {
      protection: cut.name,
      isCaught: lost > 0,
      seen: `${lost} of ${answers.size} cancellations were lost`,
    };
  });
}

async function withOperator<T>(
  cut: Mutation | undefined,
  use: (bench: Bench, operator: StandaloneOperator) => Promise<T>,
): Promise<T> {
  return await withBench({ ...WORKERS, ...(cut && { cut }) }, async (bench) => {
    const { createOperator, application } = await bench.installation.library();
    const operator = await createOperator(application, bench.env);
    try {
      return await use(bench, operator);
    } finally {
      await operator.stop();
    }
  });
}

async function submitAll({ client }: Bench, submissions: readonly Submission[]): Promise<void> {
  await inLanes(submissions, WAVE, async (submission) => void (await client.submit(submission)));
}

function long(key: string): Submission {
  return { type: "bystander", idempotencyKey: key, payload: { ms: LONG_MS } };
}

/** Sorts the jobs whose cancellation was accepted by what became of them. */
function sort(jobs: readonly JobRecord[], answers: Answers) {
  const accepted = jobs.flatMap((job) => {
    const answer = answers.get(job.id);
    return answer?.outcome === "cancelling" || answer?.outcome === "cancelled" ? [{ job, answer }] : [];
  });
  const only = (is: (entry: { job: JobRecord; answer: Answer }) => boolean) =>
    accepted.filter(is).map(({ job }) => job);
  return {
    cancelled: only(({ job }) => isCancelled(job)),
    completed: only(({ job }) => job.status?.state === "completed"),
    lost: only(({ job, answer }) => !isCancelled(job) && !isEnding(job, answer)),
    undue: only(({ job, answer }) => job.told > 0 && beganAfter(job, answer)),
  };
}

function isCancelled({ status }: JobRecord): boolean {
  return status?.state === "failed" && status.error?.code === "CANCELLED";
}

/** Its end was on the way when the cancellation was answered, or it was left inside its effect. */
function isEnding(job: JobRecord, { outcome, at }: Answer): boolean {
  if (outcome === "cancelled") return false;
  if (isDoubt(job)) return isReserved(job);
  return job.status?.state === "completed" && Date.parse(job.status.finishedAt ?? "") - at < LATE_MS;
}

function isDoubt({ status }: JobRecord): boolean {
  return status?.error?.code === "EFFECT_IN_DOUBT";
}

function isReserved({ steps }: JobRecord): boolean {
  return steps.some(({ event }) => event === "reserve:after");
}

/** Whether its effect was reserved after the cancellation was answered. */
function beganAfter({ steps }: JobRecord, { at: answeredAt }: Answer): boolean {
  const answered = steps.findIndex(({ event }) => event === "answered");
  // Cancelled by its own worker, whose steps are in order; otherwise by the laboratory.
  if (answered >= 0) return steps.slice(answered).some(({ event }) => event === "reserve:after");
  return steps.some(({ event, at }) => event === "reserve:before" && at > answeredAt);
}

function tally(answers: Answers): string {
  const counts = new Map<string, number>();
  for (const { outcome } of answers.values()) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  return [...counts].map(([outcome, count]) => `${count} ${outcome}`).join(", ");
}
