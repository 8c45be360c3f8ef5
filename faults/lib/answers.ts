import { setTimeout as sleep } from "node:timers/promises";
import { Queue } from "bullmq";
import { apiSubmitter, type Submission, type Submitter } from "./client.ts";
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
const TRIES_MAX = 300;

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

/** Counts the jobs in BullMQ's queues of these names, and those that have not ended. */
export async function countJobs(
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
