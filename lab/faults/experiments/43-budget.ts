import { setTimeout as sleep } from "node:timers/promises";
import { queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { keptBytes } from "../../../test/support/kept-bytes.ts";
import { groupBy } from "../../lib/group-by.ts";
import { inLanes, until } from "../../lib/waiting.ts";
import { noCounts } from "../lib/checker.ts";
import { type Context, type Control, controlOf, type Experiment, untilCaught } from "../lib/experiment.ts";
import type { SizedPayload } from "../lib/inside/contracts.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutCatchUp, withoutReduction } from "../lib/mutations.ts";
import { allEnded, type Testbed, withTestbed } from "../lib/testbed.ts";
import { withOperator } from "../lib/with-operator.ts";
import { withRedis } from "../lib/with-redis.ts";

export const budget: Experiment = {
  number: 43,
  title: "A budget in bytes",
  fault:
    "SIGKILL of workers and Redis at random, while jobs of all sizes end, far more than the budget has room for",
  mustHold:
    "the estimate is within a tenth of what Redis reports; ended jobs stay within the budget; none that failed within a day or is in doubt goes; " +
    "keys and effects are remembered",
  async run(context) {
    const seen = await fill(context, context.isQuick ? quick : full);
    context.say("controls");
    const controls = [
      await control(context, withoutReduction, controlled),
      await control(context, withoutCatchUp, { ...controlled, keepBytes: 100_000_000 }),
    ];
    const { acknowledged, removed, deaths, estimate, truth, highest, keepBytes } = seen;
    return {
      counts: { ...noCounts, acknowledged, faults: deaths, repeated: seen.repeated },
      table: {
        head: [
          "jobs",
          "removed",
          "deaths",
          "budget",
          "highest estimate",
          "estimate at the end",
          "Redis reports",
        ],
        rows: [[acknowledged, removed, deaths, keepBytes, highest, estimate, truth]],
      },
      measured: [`the estimate is ${(estimate / truth).toFixed(3)} of what Redis reports`],
      broken: [...faultsOf(seen), ...(removed === 0 ? ["no job was removed"] : [])],
      controls,
    };
  },
};

interface Size {
  readonly jobs: number;
  readonly kills: number;
  readonly keepBytes: number;
}

const quick: Size = { jobs: 600, kills: 4, keepBytes: 1_500_000 };
const full: Size = { jobs: 6_000, kills: 40, keepBytes: 12_000_000 };
const controlled: Size = { jobs: 200, kills: 0, keepBytes: 700_000 };

const TEXT_MAX = 8_000;
/** One job in so many. */
const FAILING = 40;
const KEPT_AGAIN = 50;
const ENDS_WITHIN_MS = 120_000;
/** A worker that was killed has the count for 2.5 s. */
const QUIET_WITHIN_MS = { whole: 20_000, control: 6_000 };
const PREFIX = "holdfast";
const CONTROL_TRIES = 3;

interface Seen {
  readonly acknowledged: number;
  readonly removed: number;
  readonly deaths: number;
  readonly keepBytes: number;
  readonly highest: number;
  readonly estimate: number;
  readonly truth: number;
  readonly repeated: number;
  /** What went although it must stay, and keys that were forgotten. */
  readonly wronged: readonly string[];
}

function faultsOf({ estimate, truth, keepBytes, repeated, wronged }: Seen): string[] {
  return [
    ...(Math.abs(estimate / truth - 1) > 0.1
      ? [`estimated ${estimate} bytes, and Redis reports ${truth}`]
      : []),
    ...(truth > 1.1 * keepBytes ? [`${truth} bytes are kept, and the budget is ${keepBytes}`] : []),
    ...(repeated > 0 ? [`${repeated} effects were repeated`] : []),
    ...wronged,
  ];
}

async function control(context: Context, mutation: Mutation, size: Size): Promise<Control> {
  return await untilCaught(CONTROL_TRIES, async () => {
    const seen = await fill({ ...context, random: context.random.fork(mutation.name) }, size, mutation);
    return controlOf(mutation.name, faultsOf(seen).slice(0, 1));
  });
}

async function fill(context: Context, { jobs, kills, keepBytes }: Size, mutation?: Mutation): Promise<Seen> {
  const env = { HOLDFAST_KEEP_BYTES: String(keepBytes) };
  return await withTestbed({ workers: 2, env, ...(mutation && { mutation }) }, async (testbed) => {
    const watch = watchEstimate(testbed);
    const stays = new Set<string>();
    const payloads = Array.from({ length: jobs }, (_, index) => payloadOf(context, index));
    const submitted = inLanes(payloads.entries(), 8, async ([index, payload]) => {
      const job = { type: "sized", idempotencyKey: `sized-${index}`, payload } as const;
      const acknowledged = await testbed.client.submit(job);
      if (payload.fails && acknowledged !== undefined) stays.add(acknowledged.id);
    });
    for (let kill = 0; kill < kills; kill += 1) {
      await sleep(context.random.between(300, 1_200)); // a random moment is the point
      if (kill % 4 === 3) await testbed.outages.kill(context.random.between(0, 500));
      else context.random.pick(testbed.workers).signal("SIGKILL");
      context.say(`${kill + 1} of ${kills} kills, ${testbed.client.acknowledged.length} jobs acknowledged`);
    }
    await submitted;
    const notEnded = await allEnded(testbed, ENDS_WITHIN_MS);
    await untilQuiet(testbed, keepBytes);
    const highest = await watch.stop();
    const removed = await goneOf(testbed);
    const times = [...groupBy(testbed.witnessed(), ({ job }) => job).values()].map(({ length }) => length);
    return {
      acknowledged: testbed.client.acknowledged.length,
      removed: removed.size,
      deaths: testbed.deaths.length + testbed.outages.all.length,
      keepBytes,
      highest,
      ...(await measure(testbed)),
      repeated: times.filter((count) => count > 1).length,
      wronged: [
        ...(notEnded.size > 0 ? [`${notEnded.size} jobs did not end`] : []),
        ...(await doubtsOf(testbed))
          .filter((id) => removed.has(id))
          .map((id) => `${id} went, and is in doubt`),
        ...[...stays].filter((id) => removed.has(id)).map((id) => `${id} went, and has just failed`),
        ...(await forgotten(testbed, removed, payloads)),
      ],
    };
  });
}

function payloadOf({ random }: Context, index: number): SizedPayload {
  const text = "x".repeat(random.between(0, TEXT_MAX));
  return {
    beforeMs: random.between(0, 5),
    afterMs: random.between(0, 5),
    text,
    fails: index % FAILING === 0,
  };
}

async function readEstimate({ store }: Testbed): Promise<number> {
  const sums = await withRedis(store, (redis) =>
    redis.hgetall(`${queueKeys(PREFIX, "default").start}budget`),
  );
  const bytes = Object.entries(sums).filter(([name]) => name.includes(":"));
  return bytes.reduce((total, [, sum]) => total + Number(sum), 0);
}

async function measure(testbed: Testbed): Promise<{ estimate: number; truth: number }> {
  const truth = await withRedis(testbed.store, (redis) => keptBytes(redis, PREFIX, ["default"]));
  return { estimate: await readEstimate(testbed), truth };
}

/** Waits until the estimate is right and within the budget, which it may never be. */
async function untilQuiet(testbed: Testbed, keepBytes: number): Promise<void> {
  const isRight = async () => {
    const seen = await measure(testbed);
    return faultsOf({ ...seen, keepBytes, repeated: 0, wronged: [] } as unknown as Seen).length === 0;
  };
  await until(isRight, { withinMs: QUIET_WITHIN_MS[testbed.isControl ? "control" : "whole"], everyMs: 500 });
}

/** Reads the estimate again and again. */
function watchEstimate(testbed: Testbed): { stop(): Promise<number> } {
  let [highest, isOver] = [0, false];
  const watching = (async () => {
    while (!isOver) {
      highest = Math.max(highest, await readEstimate(testbed).catch(() => 0));
      await sleep(200);
    }
  })();
  return {
    async stop() {
      isOver = true;
      await watching;
      return highest;
    },
  };
}

async function goneOf({ client }: Testbed): Promise<ReadonlySet<string>> {
  const gone = new Set<string>();
  await inLanes(client.acknowledged, 32, async ({ id }) => {
    if ((await client.status(id)) === undefined) gone.add(id);
  });
  return gone;
}

async function doubtsOf(testbed: Testbed): Promise<string[]> {
  const doubts = await withOperator(testbed, (operator) => operator.doubts(0, 1_000));
  return doubts.map(({ jobId }) => jobId);
}

/** A key that is remembered brings the first job's id. */
async function forgotten(
  { client }: Testbed,
  removed: ReadonlySet<string>,
  payloads: readonly SizedPayload[],
): Promise<string[]> {
  const some = client.acknowledged.filter(({ id }) => removed.has(id)).slice(0, KEPT_AGAIN);
  const again = some.map(async ({ id, key }) => {
    const payload = payloads[Number(key.slice("sized-".length))] ?? {};
    const found = await client.submit({ type: "sized", idempotencyKey: key, payload });
    return found?.id === id && found.isDuplicate ? [] : [`the key of ${id} is forgotten`];
  });
  return (await Promise.all(again)).flat();
}
