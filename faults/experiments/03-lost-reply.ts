import { setTimeout as sleep } from "node:timers/promises";
import { Queue } from "bullmq";
import { createProducer } from "holdfast";
import { Redis } from "ioredis";
import { actJob } from "../lib/act-jobs.ts";
import { type Bench, withBench } from "../lib/bench.ts";
import { check } from "../lib/checker.ts";
import { withoutKey } from "../lib/cuts.ts";
import { brokenBy, type Context, type Control, type Experiment } from "../lib/experiment.ts";
import { startProxy } from "../lib/proxy.ts";
import { submitBy } from "../lib/submit-process.ts";
import { duplicatesIn, jobsPerKey } from "../lib/store-contents.ts";

export const lostReply: Experiment = {
  number: 3,
  title: "The answer to a submission is lost",
  fault: "a proxy drops the reply, or the command, of one submission and closes the connection",
  mustHold: "one job per key after the client's retry with the same key",
  async run(context) {
    const count = context.isQuick ? 20 : 400;
    return await withBench({ workers: 1, concurrency: 20 }, async (bench) => {
      const lost = await submitThrough(bench, context, count);
      const verdict = await check(bench, 60_000);
      const duplicates = duplicatesIn(await jobsPerKey(bench.store.url));
      verdict.counts.faults = lost;
      return {
        counts: verdict.counts,
        measured: [`${duplicates} keys with more than one job, by the store's own contents`],
        broken: [...brokenBy(verdict), ...(duplicates > 0 ? [`${duplicates} keys have more than one job`] : [])],
        controls: [await keyControl(context), await idControl(bench, context)],
      };
    });
  },
};

/** @returns how many replies and commands were lost */
async function submitThrough(bench: Bench, { random, say }: Context, count: number): Promise<number> {
  const proxy = await startProxy(bench.store.port);
  const producer = await createProducer(bench.application, { ...bench.env, REDIS_URL: proxy.url });
  try {
    for (let index = 0; index < count; index += 1) {
      const key = `lost-${index}`;
      proxy.lose(random.next() < 0.75 ? "reply" : "command", key);
      await bench.client.submit(actJob(key, random), (submission) =>
        producer.submit(bench.act, submission.payload as never, { idempotencyKey: submission.idempotencyKey }),
      );
      say(`${proxy.lost} of ${count} answers lost`);
    }
    return proxy.lost;
  } finally {
    await producer.stop();
    await proxy.stop();
  }
}
