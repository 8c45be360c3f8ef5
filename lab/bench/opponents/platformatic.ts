// @platformatic/job-queue, deduplicating by job id as its guide shows.
import { Queue, RedisStorage } from "@platformatic/job-queue";
import { type Open, payload, type Work } from "../lib/inside/contestant.ts";

type Payload = typeof payload;
type Result = { readonly messageId: string };

export const open: Open = async (url) => {
  const queue = new Queue<Payload, Result>({ storage: new RedisStorage({ url }), maxRetries: 3 });
  await queue.start();
  return {
    async submit(key) {
      await queue.enqueue(key, payload);
      return key;
    },
  };
};

export const work: Work = async (url, { concurrency }) => {
  const queue = new Queue<Payload, Result>({
    storage: new RedisStorage({ url }),
    workerId: "bench",
    concurrency,
  });
  queue.execute(async ({ id }: { readonly id: string }) => ({ messageId: id }));
  await queue.start();
};
