import { setTimeout as sleep } from "node:timers/promises";
import { fixCluster, type OpenSlot, startResharding } from "../../../test/support/open-slot.ts";
import type { Random } from "../../../test/support/random.ts";
import { type RedisCluster, type Shard, startRedisCluster } from "../../../test/support/redis-cluster.ts";
import { inLanes } from "../../lib/waiting.ts";
import { actJob } from "../lib/act-jobs.ts";
import { inSync, killMaster, untilReplicated } from "../lib/cluster-roles.ts";
import { type Context, controlOf, type Experiment, untilCaught } from "../lib/experiment.ts";
import { whereMovesAreForgotten } from "../lib/forgotten-move.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutSlotWatch } from "../lib/mutations.ts";
import type { Testbed } from "../lib/testbed.ts";
import { outcomeOf, type Trial, underLoad, withServers } from "../lib/under-load.ts";

export const interruptedMoves: Experiment = {
  number: 38,
  title: "The move of a busy queue dies at each step",
  fault:
    "under load, with a backlog: the program that moves the queue's slot dies before the first key, among the keys, after the last one, or when only " +
    "one side knows that the slot has moved; or a master dies, its replica is promoted, and the queue's epoch has not moved; then `redis-cli --cluster fix`",
  mustHold:
    "no acknowledged job lost, no key with two jobs, no effect repeated; the queue goes on after the fix",
  async run(context) {
    return await withServers(startRedisCluster({ args: NODE_TIMEOUT }), async (servers) => {
      const chosen = context.isQuick ? steps.slice(1, 2) : steps;
      const trials: Trial[] = [];
      for (const step of chosen) trials.push(await interrupted(context, servers, step));
      // The short form has no failover, without which the control cannot be caught.
      if (context.isQuick) return outcomeOf(trials, []);
      const { controls, measured } = await whereMovesAreForgotten(servers, () => control(context, servers));
      return { ...outcomeOf(trials, controls), measured };
    });
  },
};

const NODE_TIMEOUT = ["--cluster-node-timeout", "2000"];
/** Long enough for a failover, so that a lost lock is no cause. */
const ENV = { HOLDFAST_DURABILITY: "replica:1", HOLDFAST_LOCK_MS: "8000" };

/** How far a move gets, and which master dies then. */
interface Step {
  readonly name: string;
  readonly dies?: "source" | "target";
  reach(slot: OpenSlot, random: Random): Promise<void>;
}

/** Nothing may depend on whether it has moved. */
const isEpoch = (key: string) => key.endsWith(":epoch");
const someKeys = (slot: OpenSlot, random: Random) => slot.moveShare(random.between(20, 80) / 100, isEpoch);
const allKeys = (slot: OpenSlot) => slot.moveShare(1, () => false);

const steps: readonly Step[] = [
  { name: "before the first key", reach: async () => {} },
  { name: "among the keys", reach: someKeys },
  { name: "after the last key", reach: allKeys },
  { name: "one side knows", reach: (slot) => slot.closeAtTarget() },
  { name: "among the keys, source dies", dies: "source", reach: someKeys },
  { name: "among the keys, target dies", dies: "target", reach: someKeys },
  { name: "after the last key, source dies", dies: "source", reach: allKeys },
];
const [, , , , sourceDies] = steps as [Step, Step, Step, Step, Step];

async function interrupted(
  context: Context,
  servers: RedisCluster,
  step: Step,
  mutation?: Mutation,
  prefix = step.name.replaceAll(/\W+/g, "-"),
): Promise<Trial> {
  const random = context.random.fork(prefix);
  const inject = (testbed: Testbed) => interrupt(testbed, servers, step, random);
  const disturbance = { name: step.name, times: context.isQuick || mutation ? 1 : 5, inject };
  const options = { servers, env: { ...ENV, HOLDFAST_PREFIX: prefix }, ...(mutation && { mutation }) };
  return await underLoad(context, disturbance, options);
}

const BACKLOG = 100;
const LEFT_OPEN_MS = 1_500;

async function interrupt(testbed: Testbed, servers: RedisCluster, step: Step, random: Random) {
  const shards = await Promise.all(servers.shards.map(inSync));
  await addBacklog(testbed, random);
  const resharding = startResharding(shards.map(({ master }) => master.url));
  try {
    const slot = await resharding.open(`${testbed.env.HOLDFAST_PREFIX}:{default}:`);
    await step.reach(slot, random);
    // Redis moves keys without waiting for replicas: what a master has must be at its own before it dies.
    await Promise.all(shards.map(untilReplicated));
    if (step.dies !== undefined) await killMaster(shardOf(shards, slot, step.dies));
    await sleep(LEFT_OPEN_MS);
    await fixCluster(slot.sourcePort);
  } finally {
    resharding.stop();
  }
}

async function addBacklog({ client }: Testbed, random: Random): Promise<void> {
  const from = client.acknowledged.length;
  const backlog = Array.from({ length: BACKLOG }, (_, index) => actJob(`backlog-${from}-${index}`, random));
  await inLanes(backlog, 16, async (job) => void (await client.submit(job)));
}

function shardOf(shards: readonly Shard[], slot: OpenSlot, side: "source" | "target"): Shard {
  const port = side === "source" ? slot.sourcePort : slot.targetPort;
  const shard = shards.find(({ master }) => master.port === port);
  if (shard === undefined) throw new Error(`No shard has the ${side}`);
  return shard;
}

/** How many jobs look absent is chance, and whether somebody asks for them. */
const CONTROL_TRIES = 3;

async function control(context: Context, servers: RedisCluster) {
  return await untilCaught(CONTROL_TRIES, async (time) => {
    const seen = interrupted(context, servers, sourceDies, withoutSlotWatch, `unwatched-${time}`);
    return controlOf(withoutSlotWatch.name, await seen.then(brokenBy, busyKey));
  });
}

function brokenBy(trial: Trial): string[] {
  return outcomeOf([trial], []).broken.slice(0, 2);
}

/** Two masters have a key of one name, so that the cluster cannot be fixed. */
function busyKey(error: unknown): string[] {
  if (error instanceof Error && /Target key exists|BUSYKEY/.test(error.message))
    return ["two masters had a key of one name"];
  throw error;
}
