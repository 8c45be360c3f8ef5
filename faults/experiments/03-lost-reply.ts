import { setTimeout as sleep } from "node:timers/promises";
import { Queue } from "bullmq";
import { actJob } from "../lib/act-jobs.ts";
import { type Bench, withBench } from "../lib/bench.ts";
import { check } from "../lib/checker.ts";
import { libraryDoor } from "../lib/client.ts";
import { brokenBy, type Context, type Control, type Experiment } from "../lib/experiment.ts";
import { withoutKey } from "../lib/mutations.ts";
import { startProxy } from "../lib/proxy.ts";
import { duplicatesIn, jobsPerKey } from "../lib/store-contents.ts";

export const lostReply: Experiment = {
  number: 3,
  title: "The answer to a submission is lost",
  fault: "a proxy drops the reply, or the command, of one submission, and closes the connection",
  mustHold: "one job per key after the client's retry with the same key",
  async run(context) {
    const count = context.isQuick ? 20 : 450;
    return await withBench({ workers: 1, concurrency: 20 }, async (bench) => {
      const lost = await submitThrough(bench, context, count, REPLY_SHARE);
      const verdict = await check(bench, 60_000);
      const duplicates = duplicatesIn(await jobsPerKey(bench.store.url));
      verdict.counts.faults = lost;
      const id = await idControl(bench, context);
      return {
        counts: verdict.counts,
        measured: [`${duplicates} keys with more than one job, by the contents of Redis itself`],
        broken: [
          ...brokenBy(verdict),
          ...(duplicates > 0 ? [`${duplicates} keys have more than one job`] : []),
        ],
        controls: [await keyControl(context), id],
      };
    });
  },
};

/** How often it is the reply that is lost; else the command. */
const REPLY_SHARE = 0.75;
/** How many clients submit side by side, each over a proxy of its own. */
const CLIENTS = 4;

/** @returns how many replies and commands were lost */
async function submitThrough(
  bench: Bench,
  context: Context,
  count: number,
  replyShare: number,
): Promise<number> {
  const keys = Array.from({ length: count }, (_, index) => `lost-${index}-`)[Symbol.iterator]();
  const lost = await Promise.all(
    Array.from({ length: CLIENTS }, () => submitOver(bench, context, keys, replyShare)),
  );
  return lost.reduce((total, own) => total + own, 0);
}

async function submitOver(
  bench: Bench,
  { random, say }: Context,
  keys: IterableIterator<string>,
  replyShare: number,
): Promise<number> {
  const proxy = await startProxy(bench.store.port);
  const library = await bench.installation.library();
  const producer = await library.createProducer(library.application, { ...bench.env, REDIS_URL: proxy.url });
  const door = libraryDoor(producer, library);
  try {
    // One that nothing happens to: a new store does not know our script yet, and its saying so would be the reply that is lost.
    await bench.client.submit(actJob(`whole-${new URL(proxy.url).port}-`, random), door);
    for (let next = keys.next(); !next.done; next = keys.next()) {
      proxy.lose(random.next() < replyShare ? "reply" : "command", next.value);
      await bench.client.submit(actJob(next.value, random), door);
      say(`${bench.client.acknowledged.length} submissions cut off`);
    }
    return proxy.lost;
  } finally {
    await producer.stop();
    await proxy.stop();
  }
}

const CONTROL_COUNT = 5;

async function keyControl(context: Context): Promise<Control> {
  context.say("control: without key");
  return await withBench({ workers: 0, cut: withoutKey }, async (bench) => {
    // Replies alone: a command that was lost leaves nothing that could be there twice.
    await submitThrough(bench, context, CONTROL_COUNT, 1);
    const duplicates = duplicatesIn(await jobsPerKey(bench.store.url));
    return {
      protection: "key",
      isCaught: duplicates > 0,
      seen: `${duplicates} of ${CONTROL_COUNT} keys with more than one job`,
    };
  });
}

/** BullMQ alone, as most people use it: no id of one's own, and a client that sends again what got no answer. */
async function idControl(bench: Bench, { say }: Context): Promise<Control> {
  say("control: without job id");
  const proxy = await startProxy(bench.store.port);
  const prefix = "bare";
  const queue = new Queue("{default}", { prefix, connection: { url: proxy.url } });
  queue.on("error", () => {});
  try {
    await queue.waitUntilReady();
    for (let index = 0; index < CONTROL_COUNT; index += 1) {
      const key = `bare-${index}-`;
      proxy.lose("reply", key);
      await Promise.race([queue.add("act", { key, payload: {} }).catch(() => {}), sleep(5_000)]);
    }
    const counts = await jobsPerKey(bench.store.url);
    const bare = new Map([...counts].filter(([key]) => key.startsWith("bare-")));
    return {
      protection: "job id",
      isCaught: duplicatesIn(bare) > 0,
      seen: `${duplicatesIn(bare)} of ${CONTROL_COUNT} jobs added twice by BullMQ without a job id`,
    };
  } finally {
    await queue.close();
    await proxy.stop();
  }
}
