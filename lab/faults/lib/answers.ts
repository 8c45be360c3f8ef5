import { setTimeout as sleep } from "node:timers/promises";
import { Queue } from "bullmq";
import { check, type Verdict } from "./checker.ts";
import { apiSubmitter, type Submission, type Submitter } from "./client.ts";
import { type Control, controlOf } from "./experiment.ts";
import type { Mutation } from "./installation.ts";
import { withoutFinish, withoutFormerClaim } from "./mutations.ts";
import type { Role } from "./role.ts";
import type { Testbed } from "./testbed.ts";

/** All ids that each key was answered with. */
export type Answers = Map<string, Set<string>>;

export function submitterOf(api: Role): Submitter {
  return apiSubmitter(async () => (await api.ready()).url ?? "");
}

/** Through the client, which records what was acknowledged. */
export function send({ client }: Testbed, answers: Answers, submitter: Submitter) {
  return async (job: Submission) => note(answers, job, (await client.submit(job, submitter))?.id);
}

const RETRY_MS = 100;
const TRIES_MAX = 600;

/** A second submission; the first one records the acknowledgement. */
export function sendAgain(answers: Answers, submitter: Submitter) {
  return async (job: Submission) => {
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const receipt = await submitter(job).catch(() => undefined);
      if (receipt !== undefined) return note(answers, job, receipt.id);
      await sleep(RETRY_MS);
    }
  };
}

function note(answers: Answers, { idempotencyKey }: Submission, id: string | undefined): void {
  if (id === undefined) return;
  answers.set(idempotencyKey, (answers.get(idempotencyKey) ?? new Set()).add(id));
}

/** What became of the keys, in all queues or partitions where their jobs can be. */
export interface Judged {
  readonly verdict: Verdict;
  readonly jobs: number;
  readonly keys: number;
  /** Keys that were answered with more than one id. */
  readonly twice: number;
  readonly stranded: number;
  readonly deaths: number;
  readonly broken: readonly string[];
}

/**
 * @param names where the jobs can be
 * @param place what such a name is called
 */
export async function judge(
  testbed: Testbed,
  answers: Answers,
  names: readonly string[],
  place: "queue" | "partition",
): Promise<Judged> {
  const verdict = await check(testbed, 120_000);
  const { jobs, stranded } = await countJobs(testbed, names);
  const twice = [...answers.values()].filter(({ size }) => size > 1).length;
  const deaths = testbed.deaths.length;
  verdict.counts.faults = deaths;
  const broken = [
    ...(twice > 0 ? [`${twice} keys were answered with two ids`] : []),
    ...(jobs > answers.size ? [`${jobs} jobs for ${answers.size} keys`] : []),
    ...(stranded > 0 ? [`${stranded} jobs are left in a ${place}`] : []),
  ];
  return { verdict, jobs, keys: answers.size, twice, stranded, deaths, broken };
}

interface Noticed {
  readonly jobs: number;
  readonly keys: number;
  readonly lost: number;
}

/** A protection of keys whose jobs move, and what shows that it is missing. */
export interface KeyControl {
  readonly mutation: Mutation;
  readonly notice: (noticed: Noticed) => string[];
}

export const keyControls: readonly KeyControl[] = [
  {
    mutation: withoutFormerClaim,
    notice: ({ jobs, keys }) => (jobs > keys ? [`${jobs} jobs for ${keys} keys`] : []),
  },
  {
    mutation: withoutFinish,
    notice: ({ lost }) => (lost > 0 ? [`${lost} acknowledged jobs lost`] : []),
  },
];

/** @param keys how many were submitted */
export async function keyControlOf(
  testbed: Testbed,
  { mutation, notice }: KeyControl,
  names: readonly string[],
  keys: number,
): Promise<Control> {
  const { client } = testbed;
  const found = await Promise.all(client.acknowledged.map(({ id }) => client.status(id)));
  const lost = found.filter((status) => status === undefined).length;
  const { jobs } = await countJobs(testbed, names);
  return controlOf(mutation.name, notice({ jobs, keys, lost }));
}

/** Counts the jobs in BullMQ's queues of these names, and those that have not ended. */
async function countJobs(
  testbed: Testbed,
  names: readonly string[],
): Promise<{ jobs: number; stranded: number }> {
  const queues = await Promise.all(names.map((name) => statesOf(testbed, name)));
  return {
    jobs: queues.reduce((sum, { ended, open }) => sum + ended + open, 0),
    stranded: queues.reduce((sum, { open }) => sum + open, 0),
  };
}

/** Read as a user of BullMQ would. */
async function statesOf({ store }: Testbed, name: string): Promise<{ ended: number; open: number }> {
  const queue = new Queue(`{${name}}`, { prefix: "holdfast", connection: { url: store.url } });
  queue.on("error", () => {});
  try {
    const { completed = 0, failed = 0, ...open } = await queue.getJobCounts();
    return { ended: completed + failed, open: Object.values(open).reduce((sum, many) => sum + many, 0) };
  } finally {
    await queue.close();
  }
}
