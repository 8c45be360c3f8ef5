import { setTimeout as sleep } from "node:timers/promises";
import { Queue } from "bullmq";
import { startProxy } from "../../lib/proxy.ts";
import { actJob } from "../lib/act-jobs.ts";
import { check } from "../lib/checker.ts";
import { librarySubmitter } from "../lib/client.ts";
import { brokenBy, type Context, type Control, type Experiment, untilCaught } from "../lib/experiment.ts";
import { withoutKey } from "../lib/mutations.ts";
import { duplicatesIn, jobsPerKey } from "../lib/store-contents.ts";
import { LONG_LOCK, type Testbed, withTestbed } from "../lib/testbed.ts";

export const lostReply: Experiment = {
  number: 3,
  title: "The reply to a submission is lost",
  fault: "a proxy drops the reply, or the command, of one submission, and closes the connection",
  mustHold: "one job per key after the client's retry with the same key",
  async run(context) {
    const count = context.isQuick ? 20 : 450;
    return await withTestbed({ workers: 1, concurrency: 20, env: LONG_LOCK }, async (testbed) => {
      const lost = await submitThrough(testbed, context, count, REPLY_SHARE);
      const verdict = await check(testbed, 120_000);
      const duplicates = duplicatesIn(await jobsPerKey(testbed.store.url));
      verdict.counts.faults = lost;
      const id = await untilCaught(CONTROL_TRIES, () => idControl(testbed, context));
      return {
        counts: verdict.counts,
        measured: [`${duplicates} keys with more than one job, by the contents of Redis itself`],
        broken: [
          ...brokenBy(verdict),
          ...(duplicates > 0 ? [`${duplicates} keys have more than one job`] : []),
        ],
        controls: [await untilCaught(CONTROL_TRIES, () => keyControl(context)), id],
      };
    });
  },
};

/** Share of lost replies; the rest are lost commands. */
const REPLY_SHARE = 0.75;
/** Concurrent clients, each over its own proxy. */
const CLIENTS = 4;

/** @returns the number of replies and commands that were lost */
async function submitThrough(
  testbed: Testbed,
  context: Context,
  count: number,
  replyShare: number,
): Promise<number> {
  const keys = Array.from({ length: count }, (_, index) => `lost-${index}-`)[Symbol.iterator]();
  const lost = await Promise.all(
    Array.from({ length: CLIENTS }, () => submitOver(testbed, context, keys, replyShare)),
  );
  return lost.reduce((total, own) => total + own, 0);
}

async function submitOver(
  testbed: Testbed,
  { random, say }: Context,
  keys: IterableIterator<string>,
  replyShare: number,
): Promise<number> {
  const proxy = await startProxy(testbed.store.port);
  const library = await testbed.installation.library();
  const producer = await library.createProducer(library.application, {
    ...testbed.env,
    REDIS_URL: proxy.url,
  });
  const submitter = librarySubmitter(producer, library);
  try {
    // A warm-up: a new Redis does not know our scripts, and its NOSCRIPT would be the lost reply.
    await testbed.client.submit(actJob(`whole-${new URL(proxy.url).port}-`, random), submitter);
    for (let next = keys.next(); !next.done; next = keys.next()) {
      proxy.lose(random.next() < replyShare ? "reply" : "command", next.value);
      await testbed.client.submit(actJob(next.value, random), submitter);
      say(`${testbed.client.acknowledged.length} submissions interrupted`);
    }
    return proxy.lost;
  } finally {
    await producer.stop();
    await proxy.stop();
  }
}

const CONTROL_COUNT = 5;
const CONTROL_TRIES = 3;
/** BullMQ's client connects again and repeats the command. */
const ADDED_WITHIN_MS = 30_000;

async function keyControl(context: Context): Promise<Control> {
  context.say("control: without key");
  return await withTestbed({ workers: 0, mutation: withoutKey }, async (testbed) => {
    // Only replies: a lost command leaves nothing to duplicate.
    await submitThrough(testbed, context, CONTROL_COUNT, 1);
    const duplicates = duplicatesIn(await jobsPerKey(testbed.store.url));
    return {
      protection: "key",
      isCaught: duplicates > 0,
      seen: `${duplicates} of ${CONTROL_COUNT} keys with more than one job`,
    };
  });
}

/** Plain BullMQ as most people use it: no job id, and a client that retries after no answer. */
async function idControl(testbed: Testbed, { say }: Context): Promise<Control> {
  say("control: without job id");
  const proxy = await startProxy(testbed.store.port);
  const prefix = "bare";
  const queue = new Queue("{default}", { prefix, connection: { url: proxy.url } });
  queue.on("error", () => {});
  try {
    await queue.waitUntilReady();
    for (let index = 0; index < CONTROL_COUNT; index += 1) {
      const key = `bare-${index}-`;
      proxy.lose("reply", key);
      await Promise.race([queue.add("act", { key, payload: {} }).catch(() => {}), sleep(ADDED_WITHIN_MS)]);
    }
    const counts = await jobsPerKey(testbed.store.url);
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
