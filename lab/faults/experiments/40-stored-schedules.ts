import { setTimeout as sleep } from "node:timers/promises";
import type { StandaloneOperator } from "holdfast";
import type { Redis } from "ioredis";
import { submittedAt } from "../../../src/core/job/job-id.ts";
import type { Random } from "../../../test/support/random.ts";
import { inLanes, until } from "../../lib/waiting.ts";
import { atOnce } from "../lib/at-once.ts";
import { noCounts } from "../lib/checker.ts";
import { type Context, type Control, controlOf, type Experiment, untilCaught } from "../lib/experiment.ts";
import { patiently } from "../lib/inside/patiently.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutKey, withoutVersions } from "../lib/mutations.ts";
import type { Role } from "../lib/role.ts";
import { type Testbed, withTestbed } from "../lib/testbed.ts";
import { withOperator } from "../lib/with-operator.ts";
import { withRedis } from "../lib/with-redis.ts";

export const storedSchedules: Experiment = {
  number: 40,
  title: "Schedules changed while schedulers and Redis die",
  fault:
    "schedules that tick each second are changed, deleted and put again at random moments; two schedulers and Redis are killed at random",
  mustHold:
    "each tick has one job, of the version that was in force at its instant, and nothing else has one",
  async run(context) {
    const seen = await change(context, context.isQuick ? quick : full);
    const controls = [
      await control(context, withoutVersions, ({ wrong }) =>
        wrong > 0 ? [`${wrong} jobs are of another version than their tick`] : [],
      ),
      await control(context, withoutKey, ({ twice }) => (twice > 0 ? [`${twice} ticks have two jobs`] : [])),
    ];
    const all = context.isQuick ? [seen] : [seen, await change(context, many)];
    const sum = (count: (of: Seen) => number) => all.reduce((total, each) => total + count(each), 0);
    return {
      counts: {
        ...noCounts,
        acknowledged: sum(({ versions }) => versions),
        faults: sum(({ deaths }) => deaths),
      },
      table: {
        head: [
          "schedules",
          "versions",
          "ticks",
          "missed",
          "twice",
          "of another version or none",
          "deaths",
          "late: p50, p99, ms",
        ],
        rows: all.map((of) => [
          of.schedules,
          of.versions,
          of.ticks,
          of.missed,
          of.twice,
          of.wrong,
          of.deaths,
          `${of.lateMs.p50}, ${of.lateMs.p99}`,
        ]),
      },
      measured: [],
      broken: all.flatMap(faultsOf),
      controls,
    };
  },
};

interface Size {
  readonly schedules: number;
  readonly everyMs: number;
  readonly forMs: number;
  /** Longest time between two changes of a schedule, in milliseconds. */
  readonly changeMs: number;
  /** Longest life of a scheduler, in milliseconds; none is killed without. */
  readonly lifeMs?: number;
  /** How often Redis is killed. */
  readonly outages: number;
}

const often = { everyMs: 1_000, changeMs: 4_000, lifeMs: 4_000 } as const;
const quick: Size = { ...often, schedules: 8, forMs: 12_000, changeMs: 3_000, outages: 1 };
const full: Size = { ...often, schedules: 40, forMs: 90_000, outages: 8 };
/** Ten for each of 1,000 tenants. Some 20 are changed each second. */
const many: Size = {
  schedules: 10_000,
  everyMs: 60_000,
  forMs: 600_000,
  changeMs: 1_000_000,
  lifeMs: 30_000,
  outages: 20,
};
const controlled: Size = { schedules: 6, everyMs: 1_000, forMs: 6_000, changeMs: 1_500, outages: 0 };

const TENANTS = 1_000;
/** Thousands that try again while Redis is away would be what makes it slow. */
const CHANGES_AT_ONCE = 32;
const MISSED_AFTER_MS = 60_000;
const OUTAGE_MAX_MS = 1_500;
const CONTROL_TRIES = 4;

interface Seen {
  readonly schedules: number;
  readonly versions: number;
  readonly ticks: number;
  readonly missed: number;
  readonly twice: number;
  /** Jobs of another version than their tick, or of no tick at all. */
  readonly wrong: number;
  readonly deaths: number;
  /** From a tick's instant to its job. */
  readonly lateMs: { readonly p50: number; readonly p99: number };
}

/** What Redis answered about a version: it is in force for ticks after `since`. */
interface Known {
  readonly since: number;
  /** As the jobs of its ticks show it; undefined for a deletion. */
  readonly shows: string | undefined;
}

async function change(context: Context, size: Size, mutation?: Mutation): Promise<Seen> {
  return await withTestbed({ workers: 0, ...(mutation && { mutation }) }, async (testbed) => {
    const schedulers = ["first", "second"].map((name) => testbed.startRole("scheduler", name));
    await Promise.all(schedulers.map((scheduler) => scheduler.ready()));
    const histories = await withOperator(testbed, async (operator) => {
      const endAt = performance.now() + size.forMs;
      const names = Array.from(
        { length: size.schedules },
        (_, index) => `tenant-${index % TENANTS}-${index}`,
      );
      const changes = changesOf(testbed, operator);
      const [found] = await Promise.all([
        Promise.all(names.map((name) => changeOne(changes, name, context.random.fork(name), size))),
        ...(size.lifeMs === undefined ? [] : schedulers.map((each) => killOften(each, context, size, endAt))),
        killRedis(testbed, context.random.fork("redis"), size),
      ]);
      return new Map(names.map((name, index) => [name, found[index] ?? []]));
    });
    return { ...(await judge(testbed, histories, size)), deaths: testbed.deaths.length };
  });
}

interface Changes {
  put(name: string, n: number, everyMs: number, random: Random): Promise<Known>;
  remove(name: string): Promise<Known>;
}

function changesOf(testbed: Testbed, operator: StandaloneOperator): Changes {
  const inTurn = atOnce(CHANGES_AT_ONCE);
  return {
    put: (...change) => inTurn(() => put(operator, ...change)),
    remove: (name) => inTurn(() => remove(testbed, operator, name)),
  };
}

/** @returns its versions, the last of which is a deletion */
async function changeOne(
  { put, remove }: Changes,
  name: string,
  random: Random,
  { everyMs, forMs, changeMs }: Size,
): Promise<Known[]> {
  const endAt = performance.now() + forMs;
  const known: Known[] = [];
  await sleep(random.between(0, Math.min(changeMs, forMs / 10))); // all at once would be one moment
  for (let n = 1; performance.now() < endAt; n += 1) {
    if (known.length > 0 && random.next() < 0.2) known.push(await remove(name));
    else known.push(await put(name, n, everyMs, random));
    await sleep(Math.min(random.between(0, changeMs), endAt - performance.now())); // a random moment is the point
  }
  if (known.at(-1)?.shows !== undefined) known.push(await remove(name));
  return known;
}

/** Two types, so that a tick of two versions would be two jobs. */
async function put(
  operator: StandaloneOperator,
  name: string,
  n: number,
  everyMs: number,
  random: Random,
): Promise<Known> {
  const [type, payload] = random.pick([
    ["tick", { at: String(n) }],
    ["bystander", { ms: n }],
  ] as const);
  const catchUp = { mode: "all", max: 1_000 } as const;
  const definition = { everyMs, type, payload, catchUp };
  const { stored } = await patiently(() => operator.schedules.put(name, definition));
  return { since: Date.parse(stored?.since ?? ""), shows: `${type} ${JSON.stringify(payload)}` };
}

async function remove(testbed: Testbed, operator: StandaloneOperator, name: string): Promise<Known> {
  await patiently(() => operator.schedules.delete(name)).catch((error: { readonly code?: string }) => {
    // A try whose answer was lost has deleted it.
    if (error.code !== "SCHEDULE_NOT_FOUND") throw error;
  });
  const hash = await untilRead(testbed, (redis) => redis.hgetall(`holdfast:{stored_schedules}:of:${name}`));
  return { since: Number.parseInt(hash[hash.version ?? ""] ?? "", 10), shows: undefined };
}

/** Reads from Redis, again while it is down. */
async function untilRead<T>({ store }: Testbed, read: (redis: Redis) => Promise<T>): Promise<T> {
  const found = await until(() => withRedis(store, read).catch(() => undefined), { withinMs: 30_000 });
  if (found === undefined) throw new Error("Redis did not answer");
  return found;
}

async function killOften(scheduler: Role, { random }: Context, size: Size, endAt: number): Promise<void> {
  const moments = random.fork(scheduler.name);
  while (performance.now() < endAt) {
    const { lives } = scheduler;
    await sleep(moments.between(0, size.lifeMs ?? 0));
    scheduler.signal("SIGKILL");
    await until(() => scheduler.lives > lives, { withinMs: 10_000 });
    if (moments.next() < 0.75) await scheduler.ready().catch(() => {});
  }
}

async function killRedis(
  { outages }: Testbed,
  random: Random,
  { forMs, outages: times }: Size,
): Promise<void> {
  for (let time = 0; time < times; time += 1) {
    await sleep(random.between(0, forMs / times));
    await outages.kill(random.between(0, OUTAGE_MAX_MS));
  }
}

async function judge(
  testbed: Testbed,
  histories: ReadonlyMap<string, readonly Known[]>,
  { everyMs }: Size,
): Promise<Omit<Seen, "deaths">> {
  const wanted = new Map([...histories].flatMap(([name, known]) => ticksOf(name, known, everyMs)));
  const read = () => untilRead(testbed, jobsIn);
  const isWhole = async () => {
    const present = new Set((await read()).map(({ key }) => key));
    return [...wanted.keys()].every((key) => present.has(key));
  };
  await until(isWhole, { withinMs: MISSED_AFTER_MS, everyMs: 500 });
  const jobs = await read();
  const keys = new Set(jobs.map(({ key }) => key));
  const lates = jobs.map(({ lateMs }) => lateMs).sort((a, b) => a - b);
  return {
    schedules: histories.size,
    versions: [...histories.values()].reduce((sum, known) => sum + known.length, 0),
    ticks: wanted.size,
    missed: [...wanted.keys()].filter((key) => !keys.has(key)).length,
    twice: jobs.length - keys.size,
    wrong: jobs.filter(({ key, shows }) => wanted.get(key) !== shows).length,
    lateMs: { p50: shareOf(lates, 0.5), p99: shareOf(lates, 0.99) },
  };
}

function shareOf(sorted: readonly number[], share: number): number {
  return sorted[Math.floor(sorted.length * share)] ?? 0;
}

/** The keys of its ticks, each with what its job must show. */
function ticksOf(name: string, known: readonly Known[], everyMs: number): [key: string, shows: string][] {
  return known.flatMap(({ since, shows }, index) => {
    const until = known[index + 1]?.since;
    if (shows === undefined || until === undefined) return [];
    const first = Math.floor(since / everyMs) + 1;
    const count = Math.max(0, Math.floor(until / everyMs) - first + 1);
    return Array.from({ length: count }, (_, tick): [string, string] => [
      `schedule:${name}:${new Date((first + tick) * everyMs).toISOString()}`,
      shows,
    ]);
  });
}

interface TickJob {
  readonly key: string;
  readonly shows: string;
  readonly lateMs: number;
}

/** The jobs of all ticks in Redis, but those of the laboratory's own schedule. */
async function jobsIn(redis: Redis): Promise<TickJob[]> {
  const found: TickJob[] = [];
  const ids = [
    ...(await redis.zrange("holdfast:{default}:prioritized", "0", "-1")),
    ...(await redis.lrange("holdfast:{default}:wait", 0, -1)),
  ];
  await inLanes(ids, 50, async (id) => {
    const [type, data] = await redis.hmget(`holdfast:{default}:${id}`, "name", "data");
    const { key, payload } = JSON.parse(data ?? "{}") as {
      readonly key?: string;
      readonly payload?: unknown;
    };
    if (!key?.startsWith("schedule:tenant-")) return;
    const at = Date.parse(key.replace(/^schedule:[^:]+:/, ""));
    found.push({ key, shows: `${type} ${JSON.stringify(payload)}`, lateMs: submittedAt(id) - at });
  });
  return found;
}

function faultsOf({ missed, twice, wrong }: Seen): string[] {
  return [
    ...(missed > 0 ? [`${missed} ticks have no job`] : []),
    ...(twice > 0 ? [`${twice} ticks have two jobs`] : []),
    ...(wrong > 0 ? [`${wrong} jobs are of another version than their tick, or of none`] : []),
  ];
}

/** Nobody is killed. */
async function control(
  context: Context,
  mutation: Mutation,
  notice: (seen: Seen) => string[],
): Promise<Control> {
  context.say(`control: without ${mutation.name}`);
  return await untilCaught(CONTROL_TRIES, async () =>
    controlOf(mutation.name, notice(await change(context, controlled, mutation))),
  );
}
