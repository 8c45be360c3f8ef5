import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { inLanes, until } from "../../lib/waiting.ts";
import { actJob } from "../lib/act-jobs.ts";
import { check } from "../lib/checker.ts";
import { runAcrossChanges } from "../lib/clock-changes.ts";
import { brokenBy, type Context, type Control, controlOf, type Experiment } from "../lib/experiment.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutKey, withoutRedisClock } from "../lib/mutations.ts";
import { type Role, startRole } from "../lib/role.ts";
import { allEnded, LONG_LOCK, type Testbed, withTestbed } from "../lib/testbed.ts";

export const time: Experiment = {
  number: 13,
  title: "Wrong clocks, and schedulers killed at random",
  fault:
    "three schedulers of an every-second schedule, each killed every few seconds; their clocks 1.5 s ahead, 1.5 s " +
    "behind, and jumping between the two; both clock changes in three zones",
  mustHold: "one job per tick: none missed, none twice, none early",
  async run(context) {
    const forMs = context.isQuick ? 10_000 : 120_000;
    const { late, crossed, seen, verdict } = await withTestbed(
      { workers: 2, concurrency: 8, env: LONG_LOCK },
      async (testbed) => ({
        late: await measureLateness(testbed, context, context.isQuick ? 3_000 : 30_000),
        crossed: await runAcrossChanges(testbed, context.random.fork("changes")),
        seen: await watch(testbed, context, forMs),
        verdict: await check(testbed, 120_000),
      }),
    );
    verdict.counts.acknowledged += seen.ticks;
    verdict.counts.faults = seen.kills;
    return {
      counts: verdict.counts,
      table: {
        head: ["run", "kills", "ticks", "missed", "twice", "early or wrong"],
        rows: [
          [
            `three schedulers, ${forMs / 1_000} s`,
            seen.kills,
            seen.ticks,
            seen.missed,
            seen.twice,
            seen.early,
          ],
          [`${crossed.changes} changes of the clocks`, 0, crossed.ticks, crossed.missed, 0, crossed.wrong],
        ],
      },
      measured: [late],
      broken: [
        ...brokenBy(verdict),
        ...faultsOf(seen),
        ...(crossed.missed + crossed.wrong > 0
          ? [`around changes of the clocks ${crossed.missed} ticks were missed, ${crossed.wrong} were wrong`]
          : []),
      ],
      controls: [
        await control(context, withoutKey, "twice"),
        await control(context, withoutRedisClock, "early"),
      ],
    };
  },
};

/** The largest tolerated error; beyond 2 s a scheduler does no work, see experiment 20. */
const OFF_MS = 1_500;
const SECOND_MS = 1_000;
const CONTROL_WITHIN_MS = 60_000;

const clocks = [
  { LAB_CLOCK_SHIFT_MS: String(OFF_MS) },
  { LAB_CLOCK_SHIFT_MS: String(-OFF_MS) },
  { LAB_CLOCK_SHIFT_MS: String(OFF_MS), LAB_CLOCK_JUMP_EVERY_MS: "2000" },
];

/** Ticks of a time span. */
interface Seen {
  readonly kills: number;
  readonly ticks: number;
  readonly missed: number;
  readonly twice: number;
  /** Enqueued before they were due. */
  readonly early: number;
}

/** Runs three schedulers and checks that each tick got one job. */
async function watch(testbed: Testbed, context: Context, forMs: number): Promise<Seen> {
  let deaths = 0;
  const onDeath = () => {
    deaths += 1;
  };
  const schedulers = clocks.map((clock, index) =>
    startScheduler(testbed, `timed${index + 1}`, clock, onDeath),
  );
  try {
    await Promise.all(schedulers.map((scheduler) => scheduler.ready()));
    const from = Math.ceil(Date.now() / SECOND_MS) * SECOND_MS;
    await killEach(schedulers, context, forMs);
    const kills = deaths;
    const due = Array.from(
      { length: Math.floor((Date.now() - from) / SECOND_MS) },
      (_, n) => from + n * SECOND_MS,
    );
    const missing = async () => {
      const enqueued = new Set((await ticksIn(testbed)).map(({ at }) => at));
      return due.filter((at) => !enqueued.has(at)).length;
    };
    await until(async () => (await missing()) === 0, { withinMs: MISSED_AFTER_MS, everyMs: 200 });
    const missed = await missing();
    return { kills, ticks: due.length, missed, ...(await wrongTicks(testbed)) };
  } finally {
    await Promise.all(schedulers.map((scheduler) => scheduler.stop()));
  }
}

const MISSED_AFTER_MS = 90_000;

/** Ticks with more than one job, and those whose job is there before they are due. */
async function wrongTicks(testbed: Testbed): Promise<Pick<Seen, "twice" | "early">> {
  const ticks = (await ticksIn(testbed)).map(({ at }) => at);
  const now = Date.now();
  return { twice: ticks.length - new Set(ticks).size, early: ticks.filter((at) => at > now).length };
}

function startScheduler(
  { installation, env, directory }: Testbed,
  name: string,
  clock: NodeJS.ProcessEnv,
  onDeath = () => {},
): Role {
  return startRole({
    name,
    script: join(dirname(installation.script("scheduler")), "time-scheduler.js"),
    env: { ...env, ...clock },
    directory,
    onDeath,
    onRedisInjection: async () => {},
  });
}

const LONGEST_LIFE_MS = 4_000;

/** Kills each at random moments, one in four while it starts, and now and then all at once. */
async function killEach(schedulers: readonly Role[], { random, say }: Context, forMs: number): Promise<void> {
  const endAt = performance.now() + forMs;
  await inLanes(schedulers, schedulers.length, async (scheduler) => {
    const moments = random.fork(scheduler.name);
    while (performance.now() < endAt) {
      const { lives } = scheduler;
      // If another lane kills it while it starts, it is never ready.
      if (moments.next() < 0.75) await scheduler.ready().catch(() => {});
      await sleep(moments.between(0, LONGEST_LIFE_MS));
      const victims = moments.next() < 0.1 ? schedulers : [scheduler];
      for (const victim of victims) victim.signal("SIGKILL");
      await until(() => scheduler.lives > lives, { withinMs: 10_000 });
      say(`${schedulers.reduce((sum, each) => sum + each.lives - 1, 0)} kills`);
    }
  });
}

interface TickJob {
  readonly at: number;
  /** When its job was added, by the clock of its scheduler. */
  readonly madeAt: number;
}

/** The jobs of all ticks in Redis. */
async function ticksIn({ store: { url } }: Testbed): Promise<TickJob[]> {
  const store = new Redis(url);
  const ticks: TickJob[] = [];
  try {
    for await (const keys of store.scanStream({ match: "*{default}:*", count: 1_000, type: "hash" })) {
      const jobs = (keys as string[]).map((key) => store.hmget(key, "data", "timestamp"));
      for (const [data = null, madeAt = null] of await Promise.all(jobs)) {
        const [, at] = /"key":"schedule:timed:([^"]+)"/.exec(data ?? "") ?? [];
        if (at !== undefined) ticks.push({ at: Date.parse(at), madeAt: Number(madeAt) });
      }
    }
    return ticks;
  } finally {
    store.disconnect();
  }
}

const LANES = 24;
const CAUGHT_UP = 180;

/** One scheduler with a correct clock, while jobs run as fast as possible. @returns a sentence */
async function measureLateness(testbed: Testbed, context: Context, forMs: number): Promise<string> {
  const scheduler = startScheduler(testbed, "timed", {});
  try {
    // It first catches up three minutes, tick by tick.
    await until(async () => (await ticksIn(testbed)).length > CAUGHT_UP, { withinMs: 60_000 });
    const from = Date.now();
    await submitFor(testbed, context, forMs);
    await allEnded(testbed, 120_000);
    const to = Date.now();
    const ticks = (await ticksIn(testbed)).filter(({ at }) => at > from && at < to);
    const late = ticks.map(({ at, madeAt }) => madeAt - at).sort((a, b) => a - b);
    const [p50, p99] = [0.5, 0.99].map((share) => late[Math.floor(late.length * share)]);
    return (
      `${ticks.length} ticks while ${testbed.client.acknowledged.length} jobs were submitted and run in ` +
      `${Math.round((to - from) / 1_000)} s: late by ${p50} ms (p50), ${p99} ms (p99)`
    );
  } finally {
    await scheduler.stop();
  }
}

async function submitFor(testbed: Testbed, { random, say }: Context, forMs: number): Promise<void> {
  const endAt = performance.now() + forMs;
  const keys = (function* () {
    for (let index = 0; performance.now() < endAt; index += 1) yield `beside-${index}`;
  })();
  await inLanes(keys, LANES, async (key) => {
    await testbed.client.submit(actJob(key, random));
    say(`${testbed.client.acknowledged.length} jobs beside the ticks`);
  });
}

function faultsOf({ missed, twice, early }: Pick<Seen, "missed" | "twice" | "early">): string[] {
  return [
    ...(missed > 0 ? [`${missed} ticks have no job`] : []),
    ...(twice > 0 ? [`${twice} ticks have two jobs`] : []),
    ...(early > 0 ? [`${early} ticks were enqueued before they were due`] : []),
  ];
}

/** Nobody is killed. A missed tick would show nothing: a scheduler can be slow. */
async function control(context: Context, mutation: Mutation, fault: "twice" | "early"): Promise<Control> {
  context.say(`control: without ${mutation.name}`);
  return await withTestbed({ workers: 0, mutation }, async (testbed) => {
    const schedulers = clocks.map((clock, index) => startScheduler(testbed, `timed${index + 1}`, clock));
    let seen = { twice: 0, early: 0 };
    const isSeen = async () => {
      seen = await wrongTicks(testbed);
      return seen[fault] > 0;
    };
    try {
      await until(isSeen, { withinMs: CONTROL_WITHIN_MS, everyMs: 100 });
      return controlOf(mutation.name, faultsOf({ twice: 0, early: 0, missed: 0, [fault]: seen[fault] }));
    } finally {
      await Promise.all(schedulers.map((scheduler) => scheduler.stop()));
    }
  });
}
