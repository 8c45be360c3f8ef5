// Plain BullMQ, with the options that Holdfast sets.
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import type { WorkerOptions } from "../lib/contestants.ts";
import { type JobType, type Open, payload, REFUSED_RETRY, type Work } from "../lib/inside/contestant.ts";
import { reportStart } from "../lib/inside/report-start.ts";

const WEEK_SECONDS = 7 * 24 * 60 * 60;

export const open: Open = async (url) => {
  const queue = new Queue("bench", { connection: connect(url) });
  await queue.waitUntilReady();
  // As long as Holdfast's ids.
  const options = (key: string, type: JobType) => ({
    jobId: `default_${key}`,
    attempts: type === "refused-email" ? REFUSED_RETRY.attempts : 3,
    backoff: { type: "fixed", delay: type === "refused-email" ? REFUSED_RETRY.delayMs : 2_000 },
  });
  return {
    async submit(key, type = "plain-email") {
      const job = await queue.add(type, payload, options(key, type));
      return job.id ?? "";
    },
    async submitMany(keys, type = "plain-email") {
      await queue.addBulk(keys.map((key) => ({ name: type, data: payload, opts: options(key, type) })));
    },
    async status(id) {
      const job = await queue.getJob(id);
      return (await job?.getState()) ?? "missing";
    },
  };
};

export const work: Work = (url, options) => workWith(url, options, async () => {});

/** Starts a worker. @param act runs for each job, given its id */
export async function workWith(
  url: string,
  { concurrency, keepCompleted }: WorkerOptions,
  act: (id: string, name: string) => Promise<void>,
  queue: { readonly name: string; readonly prefix?: string } = { name: "bench" },
): Promise<void> {
  const worker = new Worker(
    queue.name,
    async ({ id = "", name }) => {
      if (name === "timed-email") reportStart();
      await act(id, name);
      return { messageId: id };
    },
    {
      connection: connect(url),
      ...(queue.prefix !== undefined && { prefix: queue.prefix }),
      concurrency,
      removeOnComplete: { count: keepCompleted, age: WEEK_SECONDS },
      removeOnFail: { count: 100_000, age: WEEK_SECONDS },
    },
  );
  await worker.waitUntilReady();
}

function connect(url: string): Redis {
  return new Redis(url, { maxRetriesPerRequest: null });
}
