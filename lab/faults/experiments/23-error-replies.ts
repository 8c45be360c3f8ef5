import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import type { RedisServer } from "../../../test/support/redis-server.ts";
import { inLanes, until } from "../../lib/waiting.ts";
import { actJobs, repeated } from "../lib/act-jobs.ts";
import { check, type Verdict } from "../lib/checker.ts";
import { findStuckSoon } from "../lib/doubt-check.ts";
import {
  brokenBy,
  type Context,
  type Control,
  type Experiment,
  sum,
  untilCaught,
} from "../lib/experiment.ts";
import { injectionPoints } from "../lib/inside/points.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutRepetition } from "../lib/mutations.ts";
import { allEnded, type Testbed, withTestbed } from "../lib/testbed.ts";

/** How Redis starts and stops refusing writes. */
interface Refusal {
  readonly error: string;
  begin(redis: Redis): Promise<unknown>;
  end(redis: Redis): Promise<unknown>;
}

const noReplicas: Refusal = {
  error: "NOREPLICAS",
  begin: (redis) => redis.config("SET", "min-replicas-to-write", "1"),
  end: (redis) => redis.config("SET", "min-replicas-to-write", "0"),
};

const refusals: readonly Refusal[] = [
  noReplicas,
  {
    error: "OOM",
    begin: (redis) => redis.config("SET", "maxmemory", "1"),
    end: (redis) => redis.config("SET", "maxmemory", "0"),
  },
  {
    error: "READONLY",
    begin: (redis) => redis.call("REPLICAOF", "127.0.0.1", "1"),
    end: (redis) => redis.call("REPLICAOF", "NO", "ONE"),
  },
];

/** A refusal that outlives the lock leaves doubts; a shorter one must leave none. */
const SHORT_MS = 300;
const LONG_MS = 2_500;
const LONG_SHARE = 0.15;
/** Whether a refusal meets a commit and ends before the completion is left to chance. */
const CONTROL_TRIES = 5;

export const errorReplies: Experiment = {
  number: 23,
  title: "Redis replies with errors",
  fault: "Redis refuses writes for a while (NOREPLICAS, OOM, READONLY), starting at each named point",
  mustHold: "nothing about a doubt gets stuck; nothing completes with an open effect; effects ≤ 1",
  async run(context) {
    const perPoint = context.isQuick ? 1 : 12;
    const [verdicts, control] = await Promise.all([
      refuseInTurn(context, perPoint),
      repetitionControl({ ...context, random: context.random.fork("control") }),
    ]);
    return {
      counts: sum(verdicts.map(({ counts }) => counts)),
      measured: [
        `${refusals.map(({ error }) => error).join(", ")}, starting at each of ${injectionPoints.length} points`,
      ],
      broken: verdicts.flatMap(brokenBy),
      controls: [control],
    };
  },
};

async function refuseInTurn(context: Context, perPoint: number): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  for (const refusal of refusals) verdicts.push(await refuseAtEachPoint(context, refusal, perPoint));
  return verdicts;
}

async function refuseAtEachPoint(context: Context, refusal: Refusal, perPoint: number): Promise<Verdict> {
  return await withRefusals(context, refusal, perPoint, undefined, async (testbed) => {
    const verdict = await check(testbed, 120_000);
    verdict.counts.faults = testbed.outages.all.length;
    return verdict;
  });
}

async function repetitionControl(context: Context): Promise<Control> {
  return await untilCaught(CONTROL_TRIES, async (time) => {
    context.say(`control: without repetition, try ${time}`);
    const stuck = await withRefusals(context, noReplicas, 2, withoutRepetition, findStuckSoon);
    return {
      protection: withoutRepetition.name,
      isCaught: stuck.length > 0,
      seen: `${stuck.length} doubts stuck`,
    };
  });
}

async function withRefusals<T>(
  context: Context,
  refusal: Refusal,
  perPoint: number,
  mutation: Mutation | undefined,
  use: (testbed: Testbed) => Promise<T>,
): Promise<T> {
  const { random, say } = context;
  let [begun, underWay] = [0, 0];
  const inject = async (store: RedisServer, onInjected: () => void) => {
    const redis = new Redis(store.url, { retryStrategy: () => null });
    redis.on("error", () => {}); // Redis is gone when the experiment is over
    begun += 1;
    underWay += 1;
    await refusal.begin(redis);
    onInjected();
    await sleep(random.next() < LONG_SHARE ? LONG_MS : random.between(20, SHORT_MS));
    underWay -= 1;
    if (underWay === 0) await refusal.end(redis);
    redis.disconnect();
  };
  return await withTestbed(
    { workers: 2, concurrency: 4, inject, ...(mutation && { mutation }) },
    async (testbed) => {
      const injections = repeated(injectionPoints, perPoint).map((at) => ({ at, how: "store" }) as const);
      await inLanes(actJobs(`refused-${refusal.error}`, random, injections, 1), 4, async (job) => {
        say(`${refusal.error}: ${testbed.outages.all.length} refusals`);
        await testbed.client.submit(job);
      });
      if (!testbed.isControl) {
        await allEnded(testbed, 20_000);
        await until(() => testbed.outages.all.length === begun, { withinMs: 60_000 });
      }
      return await use(testbed);
    },
  );
}
