// bee-queue as its guide recommends for throughput: no events, no jobs kept in the process.
import Queue from "bee-queue";
import { type Open, payload, type Work } from "../lib/inside/contestant.ts";

const lean = { getEvents: false, sendEvents: false, storeJobs: false };

export const open: Open = async (url) => {
  const queue = new Queue("bench", { redis: url, isWorker: false, ...lean });
  await queue.ready();
  return {
    async submit(key) {
      const job = await queue.createJob(payload).setId(key).retries(2).backoff("fixed", 2_000).save();
      return job.id;
    },
  };
};

export const work: Work = async (url, { concurrency }) => {
  const queue = new Queue("bench", { redis: url, ...lean });
  await queue.ready();
  queue.process(concurrency, async ({ id }: { readonly id: string }) => ({ messageId: id }));
};
