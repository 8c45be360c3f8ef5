import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import type { Random } from "../../../test/support/random.ts";
import { inLanes, until } from "../../lib/waiting.ts";
import { actJob } from "../lib/act-jobs.ts";
import { check, noCounts } from "../lib/checker.ts";
import { apiSubmitter, librarySubmitter } from "../lib/client.ts";
import {
  brokenBy,
  type Context,
  type Control,
  type Experiment,
  sum,
  untilCaught,
} from "../lib/experiment.ts";
import { type Flushed, flush, RUNNING } from "../lib/flush.ts";
import { patiently } from "../lib/inside/patiently.ts";
import { withoutEpoch, withoutScripts } from "../lib/mutations.ts";
import { type Testbed, withTestbed } from "../lib/testbed.ts";
import { withRedis } from "../lib/with-redis.ts";

export const forgetfulStore: Experiment = {
  number: 11,
  title: "Redis forgets scripts, connections, and all its data",
  fault:
    "storms of SCRIPT FLUSH, and of CLIENT KILL on one connection or on all, under load; FLUSHALL in the middle of effects, " +
    "then somebody accepts the loss and clients submit the same keys again",
  mustHold:
    "scripts and connections recover by themselves; after FLUSHALL nothing is accepted until somebody accepts the loss, and effects " +
    "that ran then are in doubt, never silently repeated",
  async run(context) {
    const forMs = context.isQuick ? 2_000 : 45_000;
    const [flushed, { counts, ...found }, controls] = await Promise.all([
      flushRepeatedly(context, context.isQuick ? 1 : 6),
      stormAll(context, forMs),
      bothControls(context),
    ]);
    const emptied = {
      faults: flushed.length,
      acknowledged: RUNNING * flushed.length,
      repeated: total(flushed, "repeated"),
    };
    return {
      counts: sum([counts, { ...noCounts, ...emptied }]),
      ...found,
      measured: [
        `FLUSHALL, ${flushed.length} times in the middle of ${RUNNING} effects: submissions were answered ` +
          `${[...new Set(flushed.map(({ answer }) => answer))].join(", ")}; of the same keys, submitted again after the loss was accepted, ` +
          `${total(flushed, "inDoubt")} of ${RUNNING * flushed.length} are in doubt`,
        "what was done before a FLUSHALL is forgotten with it: accepting the loss accepts that",
      ],
      broken: [...found.broken, ...flushed.flatMap(brokenInFlush)],
      controls,
    };
  },
};

async function flushRepeatedly(context: Context, times: number): Promise<Flushed[]> {
  const flushed: Flushed[] = [];
  for (let time = 0; time < times; time += 1) {
    context.say(`FLUSHALL, ${time + 1}`);
    flushed.push(await flush(context));
  }
  return flushed;
}

async function bothControls(context: Context): Promise<Control[]> {
  const scripts = await scriptControl(context);
  return [scripts, await untilCaught(CONTROL_TRIES, () => epochControl(context))];
}

function total(flushed: readonly Flushed[], count: "repeated" | "inDoubt"): number {
  return flushed.reduce((sum, seen) => sum + seen[count], 0);
}

function brokenInFlush({ answer, repeated, inDoubt, completed }: Flushed): string[] {
  return [
    ...(answer.includes("STORE_ROLLED_BACK") ? [] : [`after FLUSHALL the API answered: ${answer}`]),
    ...(repeated > 0 ? [`${repeated} effects were repeated after FLUSHALL`] : []),
    ...(inDoubt + completed < RUNNING
      ? [`${RUNNING - inDoubt - completed} jobs are neither in doubt nor completed`]
      : []),
  ];
}

async function stormAll(context: Context, forMs: number) {
  return await withTestbed({ workers: 2, concurrency: 6, api: true }, async (testbed) => {
    const scripts = await storm(testbed, context, "SCRIPT FLUSH", forMs, async (store) => {
      await store.script("FLUSH");
    });
    const kills = await storm(testbed, context, "CLIENT KILL", forMs, killConnections);
    const verdict = await check(testbed, 120_000);
    verdict.counts.faults = scripts.times + kills.times;
    return {
      counts: verdict.counts,
      table: {
        head: ["storm of", "times", "acknowledged", "unanswered submissions"],
        rows: [scripts, kills].map(({ name, times, acknowledged, unanswered }) => [
          name,
          times,
          acknowledged,
          unanswered,
        ]),
      },
      broken: brokenBy(verdict),
    };
  });
}

const LANES = 12;
const LONGEST_PAUSE_MS = 200;

interface Storm {
  readonly name: string;
  readonly times: number;
  readonly acknowledged: number;
  readonly unanswered: number;
}

async function storm(
  { api, client, store }: Testbed,
  { random, say }: Context,
  name: string,
  forMs: number,
  inject: (store: Redis, random: Random) => Promise<void>,
): Promise<Storm> {
  const before = { acknowledged: client.acknowledged.length, unanswered: client.unanswered };
  const submitter = apiSubmitter(async () => (await api?.ready())?.url ?? "");
  const endAt = performance.now() + forMs;
  const keys = (function* () {
    for (let index = 0; performance.now() < endAt; index += 1) yield `${name}-${index}`;
  })();
  const load = inLanes(
    keys,
    LANES,
    async (key) => void (await client.submit(actJob(key, random), submitter)),
  );
  const redis = new Redis(store.url);
  let times = 0;
  try {
    while (performance.now() < endAt) {
      await sleep(random.between(0, LONGEST_PAUSE_MS));
      await inject(redis, random);
      times += 1;
      say(`${times} times ${name}, ${client.acknowledged.length} jobs acknowledged`);
    }
    await load;
  } finally {
    redis.disconnect();
  }
  return {
    name,
    times,
    acknowledged: client.acknowledged.length - before.acknowledged,
    unanswered: client.unanswered - before.unanswered,
  };
}

/** Usually one connection, sometimes all of them, subscribers included. */
async function killConnections(store: Redis, random: Random): Promise<void> {
  if (random.next() < 0.25) {
    await store.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    await store.call("CLIENT", "KILL", "TYPE", "pubsub");
    return;
  }
  const own = String(await store.call("CLIENT", "ID"));
  const list = String(await store.call("CLIENT", "LIST"));
  const ids = [...list.matchAll(/^id=(\d+)/gm)].map(([, id = ""]) => id).filter((id) => id !== own);
  if (ids.length > 0) await store.call("CLIENT", "KILL", "ID", random.pick(ids));
}

async function scriptControl(context: Context): Promise<Control> {
  context.say("control: without reloading scripts");
  return await withTestbed({ workers: 0, mutation: withoutScripts }, async ({ env, installation, store }) => {
    const library = await installation.library();
    const producer = await library.createProducer(library.application, env);
    try {
      const submitter = librarySubmitter(producer, library);
      await patiently(() => submitter(actJob("before", context.random)));
      await withRedis(store, (redis) => redis.script("FLUSH"));
      const submit = () => submitter(actJob("afterwards", context.random)).then(() => "accepted", reasonOf);
      // Any submission can be late; only the missing script is a finding.
      let reason = "";
      const isKnown = async () => {
        reason = await submit();
        return reason === "accepted" || reason.startsWith("NOSCRIPT");
      };
      await until(isKnown, { withinMs: 30_000 });
      return {
        protection: "sending Redis a script that it does not know",
        isCaught: reason.startsWith("NOSCRIPT"),
        seen: reason === "accepted" ? "a job was accepted" : `no more jobs were accepted: ${reason}`,
      };
    } finally {
      await producer.stop();
    }
  });
}

/** @returns the text of the innermost cause, which is Redis's own */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : reasonOf(error.cause);
}

/** Effects must run when Redis is emptied, which a slow laboratory can miss. */
const CONTROL_TRIES = 5;

/** Nothing notices that Redis has lost its data. */
async function epochControl(context: Context): Promise<Control> {
  context.say("control: without epoch");
  const { answer, repeated } = await flush(context, withoutEpoch);
  return {
    protection: "the epoch",
    isCaught: answer === "accepted" && repeated > 0,
    seen: `submissions were ${answer}, ${repeated} of ${RUNNING} effects repeated`,
  };
}
