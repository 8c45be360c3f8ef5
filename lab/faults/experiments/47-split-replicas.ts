import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import { type RedisCluster, startRedisCluster } from "../../../test/support/redis-cluster.ts";
import { startSentinelSet } from "../../../test/support/redis-sentinel.ts";
import { type RedisServer, startRedisServer } from "../../../test/support/redis-server.ts";
import { inLanes, until } from "../../lib/waiting.ts";
import { actJob } from "../lib/act-jobs.ts";
import { check, noCounts, type Verdict } from "../lib/checker.ts";
import { apiSubmitter, type Submitter } from "../lib/client.ts";
import { ask, replicasOf } from "../lib/cluster-roles.ts";
import { brokenBy, type Context, type Control, controlOf, type Experiment, sum } from "../lib/experiment.ts";
import type { ActPayload } from "../lib/inside/contracts.ts";
import { masterPort, settled } from "../lib/sentinel-roles.ts";
import { type Testbed, withTestbed } from "../lib/testbed.ts";
import { openTwoSides, type TwoSides } from "../lib/two-sides.ts";

export const splitReplicas: Experiment = {
  number: 47,
  title: "The network splits between replicas",
  fault:
    "under load: k of a master's n replicas stay with it and some of the processes on the one side, the others are with the sentinels, or with " +
    "the cluster's other masters, and the other processes on the other, until one is promoted there and for a while longer; what is between " +
    "drops everything, without a word",
  mustHold:
    "where no durability is configured: no acknowledged job lost, no effect repeated, no key with two jobs, no doubt stuck, and all goes on when the network " +
    "is whole again",
  async run(context) {
    const sides = openTwoSides();
    if (sides === undefined) return notPossible;
    sides.remove();
    const { trials, brokenDown } = await tryAll(context, splitsOf(context));
    const whole = trials.filter(({ split }) => split.durability === undefined);
    const controls = trials.filter(({ split }) => split.durability !== undefined);
    return {
      counts: sum([noCounts, ...whole.map(({ verdict }) => verdict.counts)]),
      table: {
        head: [
          "",
          "replicas",
          "with the master",
          "acknowledged",
          "by the master's side, cut off",
          "lost",
          "repeated",
        ],
        rows: trials.map(rowOf),
      },
      measured: [],
      broken: [...whole.flatMap(brokenIn), ...brokenDown],
      controls: controls.map(caughtBy),
    };
  },
};

const notPossible = {
  counts: noCounts,
  measured: [
    "**not possible here**: no network namespaces could be made (that needs root, and Linux with iproute2); this shows nothing",
  ],
  broken: [],
  controls: [],
};

interface Split {
  readonly kind: "Sentinel" | "Cluster";
  readonly replicas: number;
  /** How many of them stay with the master. */
  readonly staying: number;
  /** Named; by default none is configured. */
  readonly durability?: string;
}

const KINDS = ["Sentinel", "Cluster"] as const;

/** Those that must hold, then those that must not; in the short form one that must hold. */
function splitsOf({ isQuick }: Context): Split[] {
  const one = { replicas: 2, staying: 1 };
  // Experiment 39 splits a Sentinel set in its short form.
  if (isQuick) return [{ kind: "Cluster", ...one }];
  const all = [1, 2, 3].flatMap((replicas) =>
    Array.from({ length: replicas + 1 }, (_, staying) => KINDS.map((kind) => ({ kind, replicas, staying }))),
  );
  const named = KINDS.map((kind): Split => ({ kind, ...one, durability: "replica:1" }));
  return [...all.flat(), ...named];
}

/** Two at a time: each waits most of its time. */
async function tryAll(context: Context, splits: readonly Split[]) {
  const found = new Map<Split, Trial>();
  const brokenDown: string[] = [];
  await inLanes(splits, 2, async (split) => {
    try {
      found.set(split, await splitTrial(context, split));
    } catch (error) {
      brokenDown.push(`${nameOf(split)}: it broke down: ${inspect(error)}`);
    }
  });
  return { trials: splits.flatMap((split) => found.get(split) ?? []), brokenDown };
}

interface Trial {
  readonly split: Split;
  readonly verdict: Verdict;
  /** What the left acknowledged while it was cut off. */
  readonly cutOff: number;
  /** Keys that were answered with two ids. */
  readonly twice: number;
}

function rowOf({ split, verdict: { counts }, cutOff }: Trial) {
  const { kind, replicas, staying, durability = "default" } = split;
  return [
    `${kind}, ${durability}`,
    replicas,
    staying,
    counts.acknowledged,
    cutOff,
    counts.lost,
    counts.repeated,
  ];
}

function nameOf({ kind, replicas, staying, durability = "default" }: Split): string {
  return `${kind}, ${durability}, ${staying} of ${replicas} replicas with the master`;
}

function brokenIn({ split, verdict, twice }: Trial): string[] {
  const broken = [...brokenBy(verdict), ...(twice > 0 ? [`${twice} keys have two jobs`] : [])];
  return broken.map((what) => `${nameOf(split)}: ${what}`);
}

function caughtBy({ split, verdict: { counts }, twice }: Trial): Control {
  const { lost, repeated, acknowledged } = counts;
  const seen = `${lost} of ${acknowledged} jobs lost, ${repeated} effects repeated, ${twice} keys with two jobs`;
  return controlOf(`confirmation by all replicas: ${nameOf(split)}`, lost + repeated > 0 ? [seen] : []);
}

/** The servers, and what is done to them. */
interface Servers {
  readonly url: string;
  untilPromoted(): Promise<void>;
  settled(): Promise<void>;
  stop(): Promise<void>;
}

/** A busy machine takes long. */
const WITHIN_MS = 180_000;
/** Servers that got too little processor time to hold an election are asked to promote one all the same, as a person would. */
const ELECTED_WITHIN_MS = 15_000;

/** @param promote asks for it */
async function untilChosen(
  isPromoted: () => Promise<boolean>,
  promote: () => Promise<unknown>,
): Promise<void> {
  if ((await until(isPromoted, { withinMs: ELECTED_WITHIN_MS })) !== undefined) return;
  const askAndLook = async () => {
    await promote().catch(() => {});
    return await until(isPromoted, { withinMs: ELECTED_WITHIN_MS });
  };
  if ((await until(askAndLook, { withinMs: WITHIN_MS })) === undefined)
    throw new Error("Nobody was promoted");
}

function startServers(sides: TwoSides, split: Split): Promise<Servers> {
  return split.kind === "Sentinel" ? startSet(sides, split) : startCluster(sides, split);
}

function launcher({ left, right }: TwoSides) {
  return (options: Parameters<typeof startRedisServer>[0] = {}, isLeft = false) => {
    const open = options.sentinelFile === undefined ? ["--protected-mode", "no"] : [];
    const args = [...open, ...(options.args ?? [])];
    return startRedisServer({ ...options, args, ...(isLeft ? left : right) });
  };
}

async function startSet(sides: TwoSides, { replicas, staying }: Split): Promise<Servers> {
  const launch = launcher(sides);
  let launched = 0;
  const set = await startSentinelSet({
    replicas,
    sentinelLines: ["protected-mode no"],
    launch(options) {
      const isLeft = launched <= staying && options?.sentinelFile === undefined;
      launched += 1;
      return launch(options, isLeft);
    },
  });
  const [master] = set.servers as [RedisServer];
  const { port } = master;
  return {
    url: set.url,
    untilPromoted: () =>
      untilChosen(
        async () => {
          const known = await Promise.all(set.sentinels.map(masterPort));
          return known.some((other) => other !== undefined && other !== String(port));
        },
        () => set.askSentinel("SENTINEL", "FAILOVER", "main"),
      ),
    settled: async () => void (await settled(set)),
    stop: () => set.stop(),
  };
}

/** The queue's shard has the replicas; the two other masters are on the right, and have some only where a number for all is named. */
async function startCluster(sides: TwoSides, { replicas, staying, durability }: Split): Promise<Servers> {
  const launch = launcher(sides);
  const shardIndex = await shardOfQueue();
  const others = durability === undefined ? 0 : 1;
  const counts = [0, 1, 2].map((shard) => (shard === shardIndex ? replicas : others));
  const cluster = await startRedisCluster({
    replicas: counts as [number, number, number],
    args: ["--cluster-node-timeout", "2000", "--cluster-require-full-coverage", "no"],
    launch: (options, { shard, replica }) => launch(options, shard === shardIndex && replica <= staying),
  });
  const shard = cluster.shards[shardIndex];
  if (shard === undefined) throw new Error("There is no such shard");
  const isMaster = async (server: RedisServer) => (await replicasOf(server)) !== undefined;
  return {
    url: cluster.url,
    untilPromoted() {
      const others = shard.replicas.slice(staying);
      return untilChosen(
        async () => (await Promise.all(others.map(isMaster))).includes(true),
        () => ask(others[0] as RedisServer, "CLUSTER", "FAILOVER", "TAKEOVER"),
      );
    },
    async settled() {
      const servers = [shard.master, ...shard.replicas];
      const look = async () => {
        const roles = await Promise.all(servers.map(roleOf));
        return (
          roles.filter((role) => role === "master").length === 1 &&
          roles.filter((role) => role === "in sync").length === replicas
        );
      };
      if ((await until(look, { withinMs: WITHIN_MS })) === undefined)
        throw new Error(`The cluster did not settle: ${await describeAll(cluster)}`);
    },
    stop: () => cluster.stop(),
  };
}

/**
 * A replica that stayed with a replaced master can remain its replica, and so a replica of a replica: Redis leaves it there. It counts for
 * nobody, and has all that its master has.
 */
async function roleOf(server: RedisServer): Promise<"master" | "in sync" | "neither"> {
  const info = String(await ask(server, "INFO", "replication").catch(() => ""));
  if (/^role:master/m.test(info)) return "master";
  return /^master_link_status:up/m.test(info) ? "in sync" : "neither";
}

/** How each server sees itself: its master, its epochs and its slots. */
async function describeAll({ shards }: RedisCluster): Promise<string> {
  const servers = shards.flatMap(({ master, replicas }) => [master, ...replicas]);
  const lines = servers.map(async (server) => {
    const nodes = String(await ask(server, "CLUSTER", "NODES").catch(String));
    return /^.*\bmyself\b.*$/m.exec(nodes)?.[0] ?? `${server.port} ${nodes}`;
  });
  return (await Promise.all(lines)).join("; ");
}

/** The hash tag of every key of the queue decides. */
async function shardOfQueue(): Promise<number> {
  const { default: slotOf } = await import("cluster-key-slot");
  return Math.floor((3 * slotOf("{default}")) / 16_384);
}

const LOCK = { HOLDFAST_LOCK_MS: "8000" };
const ENDED_WITHIN_MS = 60_000;
const CONTROL_ENDED_WITHIN_MS = 2_000;
/** Longer than it takes to promote a replica, where none can be. */
const NOBODY_PROMOTED_MS = 5_000;
const BOTH_MS = 2_000;
const KEY = "laboratory";

async function splitTrial(context: Context, split: Split): Promise<Trial> {
  const sides = openTwoSides();
  if (sides === undefined) throw new Error("There can be no more network namespaces");
  try {
    const servers = await startServers(sides, split);
    try {
      return await inTestbed(context, split, sides, servers);
    } finally {
      await servers.stop();
    }
  } finally {
    sides.remove();
  }
}

async function inTestbed(context: Context, split: Split, sides: TwoSides, servers: Servers): Promise<Trial> {
  const { durability } = split;
  const env = { ...LOCK, ...(durability !== undefined && { HOLDFAST_DURABILITY: durability }) };
  const options = { workers: 1, concurrency: 6, servers, env, witnessHost: sides.aside.right };
  return await withTestbed(options, async (testbed) => {
    const left = { LAB_NAMESPACE: sides.left.namespace, HOLDFAST_DATA_DIR: `${testbed.directory}/left` };
    const api = testbed.startRole("api", "left-api", {
      ...left,
      HOLDFAST_HOST: sides.aside.left,
      HOLDFAST_API_KEYS: `lab:submit:${createHash("sha256").update(KEY).digest("hex")}`,
    });
    const worker = testbed.startRole("worker", "left", left);
    await Promise.all([api.ready(), worker.ready()]);
    const urlOf = async () => `http://${sides.aside.left}:${new URL((await api.ready()).url ?? "").port}`;
    const load = startLoad(testbed, context, apiSubmitter(urlOf, KEY));
    try {
      const splitAt = await splitOnce(context, testbed, split, { sides, servers });
      const cutOff = load.byLeft(splitAt.from, splitAt.to);
      if (durability === undefined) await load.goesOn();
      await load.end();
      const verdict = await check(testbed, durability ? CONTROL_ENDED_WITHIN_MS : ENDED_WITHIN_MS);
      verdict.counts.faults = 1;
      return { split, verdict, cutOff, twice: load.twice() };
    } finally {
      await load.end();
    }
  });
}

/** Jobs that both sides have when they are cut off from each other. */
const BACKLOG = 120;
const BACKLOG_LANES = 40;

async function splitOnce(
  context: Context,
  testbed: Testbed,
  split: Split,
  { sides, servers }: { readonly sides: TwoSides; readonly servers: Servers },
): Promise<{ readonly from: number; readonly to: number }> {
  const jobs = Array.from({ length: BACKLOG }, (_, index) => ({
    type: "act" as const,
    idempotencyKey: `backlog-${index}`,
    payload: { beforeMs: 250, afterMs: 100 } satisfies ActPayload,
  }));
  await inLanes(jobs, BACKLOG_LANES, async (job) => void (await testbed.client.submit(job)));
  context.say(nameOf(split));
  const from = Date.now();
  await testbed.outages.during(async () => {
    sides.split();
    if (split.staying < split.replicas) await servers.untilPromoted();
    else await sleep(NOBODY_PROMOTED_MS);
    await sleep(BOTH_MS);
    sides.heal();
    await servers.settled();
  });
  return { from, to: Date.now() };
}

const LANES = 4;
const PAUSE_MS = 60;
/** One key of so many is sent by both sides. */
const SHARED = 4;
const SHARED_MS = 100;
const RESUMED = 20;

/** Clients on both sides. */
function startLoad(testbed: Testbed, { random }: Context, left: Submitter) {
  const ids = new Map<string, Set<string>>();
  const leftAt: number[] = [];
  let right = 0;
  let isOver = false;
  const lanes = (["left", "right"] as const).map((side) => {
    const keys = (function* () {
      for (let turn = 0; !isOver; turn += 1)
        yield turn % SHARED === 0 ? `both-${Math.floor(Date.now() / SHARED_MS)}` : `${side}-${turn}`;
    })();
    const stoppable =
      (submit: Submitter): Submitter =>
      (submission) => {
        if (isOver) throw Object.assign(new Error("The load has ended"), { retryable: false });
        return submit(submission);
      };
    return inLanes(keys, LANES, async (key) => {
      const job = actJob(key, random.fork(key));
      const seen = await (side === "left"
        ? testbed.client.submit(job, stoppable(left))
        : testbed.client.submit(job)
      ).catch(() => undefined);
      if (seen !== undefined) {
        ids.set(key, (ids.get(key) ?? new Set()).add(seen.id));
        if (side === "left") leftAt.push(seen.triedAt);
        else right += 1;
      }
      await sleep(PAUSE_MS);
    });
  });
  return {
    /** How many of the left's submissions were begun and acknowledged in between. */
    byLeft: (from: number, to: number) => leftAt.filter((at) => at > from && at < to).length,
    twice: () => [...ids.values()].filter(({ size }) => size > 1).length,
    /** Waits until both sides are acknowledged more. */
    async goesOn() {
      const [leftBefore, rightBefore] = [leftAt.length, right];
      const goOn = () => leftAt.length >= leftBefore + RESUMED && right >= rightBefore + RESUMED;
      if ((await until(goOn, { withinMs: WITHIN_MS })) === undefined)
        throw new Error("Too little was accepted after the network was whole", {
          cause: testbed.client.lastFault,
        });
    },
    async end() {
      isOver = true;
      await Promise.all(lanes);
    },
  };
}
