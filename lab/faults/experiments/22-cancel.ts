import type { StandaloneOperator } from "holdfast";
import { queueKey } from "../../../src/core/bullmq/store/queue-keys.ts";
import { inLanes, until } from "../../lib/waiting.ts";
import { actJob, repeated } from "../lib/act-jobs.ts";
import { check, type JobRecord, type Verdict } from "../lib/checker.ts";
import type { Submission } from "../lib/client.ts";
import { type Context, type Control, type Experiment, untilCaught } from "../lib/experiment.ts";
import { patiently } from "../lib/inside/patiently.ts";
import { injectionPoints } from "../lib/inside/points.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutKeptCancellations } from "../lib/mutations.ts";
import { LOCK_MS, type Testbed, withTestbed } from "../lib/testbed.ts";
import { withRedis } from "../lib/with-redis.ts";

/** How long a job cancelled at its claim runs, and how long it may still run after the answer. */
const LONG_MS = 8 * LOCK_MS;
const LATE_MS = 6 * LOCK_MS;
/** As many as the workers claim at once: the first is known to its worker only after the last. */
const WAVE = 40;
const END_WITHIN_MS = 120_000;
const CONTROL_TRIES_MAX = 8;
const PREFIX = "lab";
const WORKERS = { workers: 2, concurrency: WAVE / 2, env: { HOLDFAST_PREFIX: PREFIX } };

/** The answer to a cancellation, and when it came, in milliseconds since 1970. */
interface Answer {
  readonly outcome: string;
  readonly at: number;
}
type Answers = ReadonlyMap<string, Answer>;

export const cancel: Experiment = {
  number: 22,
  title: "Jobs are cancelled at every point",
  fault:
    "a cancellation right after the submission, at the claim, before the reservation, inside the effect, at the completion",
  mustHold:
    "a job whose cancellation was answered `cancelling` or `cancelled` ends soon; no effect runs that was not reserved before the answer",
  async run(context) {
    const { verdict, answers } = await cancelAtEveryPoint(context);
    const { counts, jobs, findings } = verdict;
    const found = sort(jobs, answers);
    counts.faults = answers.size;
    // A cancelled job is meant to fail, and one cancelled inside its effect may leave a doubt.
    counts.failed -= found.cancelled.length;
    counts.unexplained -= jobs.filter((job) => isDoubt(job) && isReserved(job)).length;
    return {
      counts,
      measured: [
        `${answers.size} cancellations were answered: ${tally(answers)}`,
        `${found.cancelled.length} jobs ended as CANCELLED; ${found.completed.length} completed, because they were ending when the answer came`,
      ],
      broken: [
        ...(found.lost.length > 0 ? [`${found.lost.length} cancellations were lost`, ...findings] : []),
        ...(found.undue.length > 0 ? [`${found.undue.length} effects began after the answer`] : []),
      ],
      controls: [await control(context, withoutKeptCancellations)],
    };
  },
};

async function cancelAtEveryPoint(context: Context): Promise<{ verdict: Verdict; answers: Answers }> {
  const { random, isQuick, say } = context;
  return await withOperator(undefined, async (testbed, operator) => {
    const answers = new Map<string, Answer>();
    say("at the claim");
    await cancelAtClaim(testbed, operator, answers, isQuick ? 1 : 10);

    const times = isQuick ? 8 : 100;
    const points = repeated(injectionPoints, times);
    say("inside the attempt");
    await submitAll(
      testbed,
      points.map((at, index) => actJob(`${at}-${index}`, random, { at, how: "cancel" })),
    );
    say("right after the submission");
    const early = Array.from({ length: 8 * times }, (_, index) => actJob(`early-${index}`, random));
    await inLanes(early, WAVE, async (submission) => {
      const accepted = await testbed.client.submit(submission);
      if (accepted !== undefined) answers.set(accepted.id, await answerOf(operator, accepted.id));
    });

    const verdict = await check(testbed, END_WITHIN_MS);
    for (const { event, jobId, detail, at } of testbed.trace.read())
      if (event === "answered") answers.set(jobId, { outcome: detail, at });
    return { verdict, answers };
  });
}

/** Cancels each job as soon as Redis reports its claim, which is when its worker learns of it. */
async function cancelAtClaim(
  testbed: Testbed,
  operator: StandaloneOperator,
  answers: Map<string, Answer>,
  waves: number,
): Promise<void> {
  await withRedis(testbed.store, async (redis) => {
    let after = "0";
    const claimed = async () => {
      const events = queueKey(PREFIX, "default", "events");
      const reply = (await redis.xread("BLOCK", 500, "STREAMS", events, after))?.[0]?.[1] ?? [];
      after = reply.at(-1)?.[0] ?? after;
      return reply.flatMap(([, fields]) =>
        fieldOf(fields, "event") === "active" ? fieldOf(fields, "jobId") : [],
      );
    };
    for (let wave = 1; wave <= waves; wave += 1) {
      const jobs = Array.from({ length: WAVE }, (_, index) => long(`claim-${wave}-${index}`));
      const submitting = submitAll(testbed, jobs);
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
  const outcome = await patiently(() => operator.cancel(id)).catch(
    (error: { code?: string }) => error.code ?? "unanswered",
  );
  return { outcome, at: Date.now() };
}

/** Whether a message overtakes the reply to the claim is chance, and rare on a slow machine. */
async function control(context: Context, mutation: Mutation): Promise<Control> {
  return await untilCaught(CONTROL_TRIES_MAX, async (time) => {
    context.say(`control: without ${mutation.name}, try ${time}`);
    return await tryControl(mutation);
  });
}

async function tryControl(mutation: Mutation): Promise<Control> {
  return await withOperator(mutation, async (testbed, operator) => {
    const answers = new Map<string, Answer>();
    await cancelAtClaim(testbed, operator, answers, 1);
    const { jobs } = await check(testbed, END_WITHIN_MS);
    const lost = sort(jobs, answers).lost.length;
    return {
      protection: mutation.name,
      isCaught: lost > 0,
      seen: `${lost} of ${answers.size} cancellations were lost`,
    };
  });
}

async function withOperator<T>(
  mutation: Mutation | undefined,
  use: (testbed: Testbed, operator: StandaloneOperator) => Promise<T>,
): Promise<T> {
  return await withTestbed({ ...WORKERS, ...(mutation && { mutation }) }, async (testbed) => {
    const { createOperator, application } = await testbed.installation.library();
    const operator = await createOperator(application, testbed.env);
    try {
      return await use(testbed, operator);
    } finally {
      await operator.stop();
    }
  });
}

async function submitAll({ client }: Testbed, submissions: readonly Submission[]): Promise<void> {
  await inLanes(submissions, WAVE, async (submission) => void (await client.submit(submission)));
}

function long(key: string): Submission {
  return { type: "bystander", idempotencyKey: key, payload: { ms: LONG_MS } };
}

/** Sorts the jobs whose cancellation was accepted by their outcome. */
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
    undue: only(({ job, answer }) => job.witnessed > 0 && beganAfter(job, answer)),
  };
}

function isCancelled({ status }: JobRecord): boolean {
  return status?.state === "failed" && status.error?.code === "CANCELLED";
}

/** Its end was already on the way, or it was interrupted inside its effect. */
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

/** Whether its effect was reserved after the answer. */
function beganAfter({ steps }: JobRecord, { at: answeredAt }: Answer): boolean {
  const answered = steps.findIndex(({ event }) => event === "answered");
  // If its own worker cancelled it, steps are in order; otherwise compare times.
  if (answered >= 0) return steps.slice(answered).some(({ event }) => event === "reserve:after");
  return steps.some(({ event, at }) => event === "reserve:before" && at > answeredAt);
}

function tally(answers: Answers): string {
  const counts = new Map<string, number>();
  for (const { outcome } of answers.values()) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  return [...counts].map(([outcome, count]) => `${count} ${outcome}`).join(", ");
}
