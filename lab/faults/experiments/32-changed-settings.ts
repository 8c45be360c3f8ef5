import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { inLanes, until } from "../../lib/waiting.ts";
import { actJob } from "../lib/act-jobs.ts";
import { type Counts, check, noCounts } from "../lib/checker.ts";
import { librarySubmitter, type Submitter } from "../lib/client.ts";
import { brokenBy, type Context, type Control, controlOf, type Experiment, sum } from "../lib/experiment.ts";
import { patiently } from "../lib/inside/patiently.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutFitnessWatch } from "../lib/mutations.ts";
import { LONG_LOCK, type Testbed, withTestbed } from "../lib/testbed.ts";
import { withOperator } from "../lib/with-operator.ts";

/** A requirement that Redis no longer meets, and what sets it right. */
interface Change {
  readonly setting: string;
  readonly bad: string;
  readonly good: string;
}

const changes: readonly Change[] = [
  { setting: "appendfsync", bad: "everysec", good: "always" },
  { setting: "appendonly", bad: "no", good: "yes" },
  { setting: "no-appendfsync-on-rewrite", bad: "yes", good: "no" },
  { setting: "maxmemory-policy", bad: "allkeys-lru", good: "noeviction" },
];

/** A reading of the settings is believed for so long. */
const BELIEVED_MS = 5_000;
/** What an answer may take, and this process may be late. */
const SLACK_MS = 3_000;
/** For how long nothing may be accepted or begun. */
const WATCHED_MS = 2_000;
const RESUMES_WITHIN_MS = 20_000;
const LANES = 4;
const PAUSE_MS = 50;

export const changedSettings: Experiment = {
  number: 32,
  title: "Redis's settings change while it runs",
  fault: "CONFIG SET of each requirement to a value that is not durable, and back; keys evicted",
  mustHold:
    "soon nothing is accepted and no effect begins, until it is set right, or a person accepts what was evicted",
  async run(context) {
    const chosen = context.isQuick ? [context.random.pick(changes)] : [...changes, ...changes];
    const [changed, evicted, control] = await Promise.all([
      changeInTurn(context, chosen),
      evict({ ...context, random: context.random.fork("evict") }, context.isQuick ? 1 : 3),
      watchControl({ ...context, random: context.random.fork("control") }),
    ]);
    const all = [...changed.periods, ...evicted];
    return {
      counts: sum([changed.counts, { ...noCounts, faults: evicted.length }]),
      table: {
        head: ["change", "accepted before it was noticed", "accepted later", "begun later", "refused for ms"],
        rows: all.map(({ name, soon, late, begun, refusedMs }) => [name, soon, late, begun, refusedMs]),
      },
      measured: [`a reading is believed for ${BELIEVED_MS} ms`],
      broken: [...changed.broken, ...all.flatMap(brokenIn)],
      controls: [control],
    };
  },
};

/** What happened while a requirement was not met. */
interface Period {
  readonly name: string;
  /** Jobs that were accepted while the last good reading was still believed. */
  readonly soon: number;
  /** And after that. */
  readonly late: number;
  /** Effects that began then. */
  readonly begun: number;
  readonly refusedMs: number;
  readonly hasResumed: boolean;
}

function brokenIn({ name, late, begun, hasResumed }: Period): string[] {
  return [
    ...(late > 0 ? [`${name}: ${late} jobs were accepted after the change was to be known`] : []),
    ...(begun > 0 ? [`${name}: ${begun} effects began after the change was to be known`] : []),
    ...(hasResumed ? [] : [`${name}: nothing was accepted after it was set right`]),
  ];
}

interface Changed {
  readonly periods: readonly Period[];
  readonly counts: Counts;
  readonly broken: readonly string[];
}

async function changeInTurn(context: Context, chosen: readonly Change[]): Promise<Changed> {
  return await withLoad(context, "changed", undefined, async (testbed, load, redis) => {
    const periods: Period[] = [];
    for (const change of chosen) {
      context.say(`${change.setting} ${change.bad}`);
      const { setting, bad, good } = change;
      const period = { testbed, load, name: `${setting} ${bad}` };
      periods.push(
        await testbed.outages.during(() =>
          watchPeriod(period, {
            begin: () => redis.config("SET", setting, bad),
            end: () => redis.config("SET", setting, good),
          }),
        ),
      );
    }
    await load.end();
    const verdict = await check(testbed, 120_000);
    verdict.counts.faults = chosen.length;
    return { periods, counts: verdict.counts, broken: brokenBy(verdict) };
  });
}

/** Keys are gone, so only the refusals are judged. */
async function evict(context: Context, times: number): Promise<readonly Period[]> {
  const periods: Period[] = [];
  for (let time = 0; time < times; time += 1) {
    periods.push(
      await withLoad(context, `evicted-${time}`, undefined, async (testbed, load, redis) => {
        context.say("eviction");
        const period = { testbed, load, name: "eviction" };
        return await watchPeriod(period, {
          begin: () => evictSome(redis),
          end: () =>
            withOperator(testbed, (operator) =>
              patiently(() => operator.acceptLoss({ evidence: "laboratory", by: "laboratory" })),
            ),
        });
      }),
    );
  }
  return periods;
}

const EVICTED_WITHIN_MS = 10_000;

/** Lets Redis evict keys, and sets it right at once. */
async function evictSome(redis: Redis): Promise<void> {
  await redis.config("SET", "maxmemory-policy", "allkeys-random");
  const used = Number(/used_memory:(\d+)/.exec(await redis.info("memory"))?.[1]);
  await redis.config("SET", "maxmemory", String(Math.floor(used * 0.95)));
  const isEvicted = async () => !(await redis.info("stats")).includes("evicted_keys:0\r");
  const evicted = await until(isEvicted, { withinMs: EVICTED_WITHIN_MS, everyMs: 20 });
  await redis.config("SET", "maxmemory", "0");
  await redis.config("SET", "maxmemory-policy", "noeviction");
  if (evicted === undefined) throw new Error("Redis has evicted nothing");
}

interface Watched {
  readonly testbed: Testbed;
  readonly load: Load;
  readonly name: string;
}

/** From the beginning of a fault until it is mended, and jobs are accepted again. */
async function watchPeriod(
  { testbed, load, name }: Watched,
  fault: { begin(): Promise<unknown>; end(): Promise<unknown> },
): Promise<Period> {
  await accepted(load);
  await fault.begin();
  const from = Date.now();
  await sleep(BELIEVED_MS + SLACK_MS + WATCHED_MS); // the interval is the promise
  const to = Date.now();
  const known = from + BELIEVED_MS + SLACK_MS;
  const within = load.triedAt.filter((at) => at > from && at <= to);
  const begun = testbed.trace
    .read()
    .filter(({ event, at }) => event === "effect:begun" && at > known && at <= to);
  await fault.end();
  const hasResumed = await accepted(load);
  return {
    name,
    soon: within.filter((at) => at <= known).length,
    late: within.filter((at) => at > known).length,
    begun: begun.length,
    refusedMs: Date.now() - (within.at(-1) ?? from),
    hasResumed,
  };
}

/** Waits until another job is accepted. */
async function accepted({ triedAt }: Load): Promise<boolean> {
  const now = Date.now();
  const isBack = () => (triedAt.at(-1) ?? 0) > now;
  return (await until(isBack, { withinMs: RESUMES_WITHIN_MS })) === true;
}

async function watchControl(context: Context): Promise<Control> {
  return await withLoad(context, "unwatched", withoutFitnessWatch, async (testbed, load, redis) => {
    const [change] = changes;
    if (change === undefined) throw new Error("There is nothing to change");
    const period = { testbed, load, name: change.setting };
    const seen = await watchPeriod(period, {
      begin: () => redis.config("SET", change.setting, change.bad),
      end: () => redis.config("SET", change.setting, change.good),
    });
    return controlOf(withoutFitnessWatch.name, brokenIn(seen));
  });
}

interface Load {
  /** When each try began that was accepted. */
  readonly triedAt: readonly number[];
  end(): Promise<void>;
}

/** Clients submit jobs, each again with its key until it is accepted, and a worker runs them. */
async function withLoad<T>(
  context: Context,
  name: string,
  mutation: Mutation | undefined,
  use: (testbed: Testbed, load: Load, redis: Redis) => Promise<T>,
): Promise<T> {
  const options = { workers: 1, concurrency: 4, env: LONG_LOCK, ...(mutation && { mutation }) };
  return await withTestbed(options, async (testbed) => {
    const library = await testbed.installation.library();
    const producer = await library.createProducer(library.application, testbed.env);
    const redis = new Redis(testbed.store.url);
    const load = startLoad(testbed, context, name, librarySubmitter(producer, library));
    try {
      return await use(testbed, load, redis);
    } finally {
      await load.end();
      await producer.stop();
      redis.disconnect();
    }
  });
}

function startLoad({ client }: Testbed, { random }: Context, name: string, submitter: Submitter): Load {
  const triedAt: number[] = [];
  let isOver = false;
  const keys = (function* () {
    for (let index = 0; !isOver; index += 1) yield `${name}-${index}`;
  })();
  const submit: Submitter = async (submission) => {
    if (isOver) throw Object.assign(new Error("The load has ended"), { retryable: false });
    const at = Date.now();
    const receipt = await submitter(submission);
    triedAt.push(at);
    return receipt;
  };
  const load = inLanes(keys, LANES, async (key) => {
    await client.submit(actJob(key, random), submit).catch(() => {});
    await sleep(PAUSE_MS);
  });
  return {
    triedAt,
    async end() {
      isOver = true;
      await load;
    },
  };
}
