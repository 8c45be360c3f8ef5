import { setTimeout as sleep } from "node:timers/promises";
import { startResharding } from "../../test/support/open-slot.ts";
import { type RedisCluster, type Shard, startRedisCluster } from "../../test/support/redis-cluster.ts";
import { actJob } from "../lib/act-jobs.ts";
import { inSync, killBoth, killMaster } from "../lib/cluster-roles.ts";
import type { Context, Control, Experiment } from "../lib/experiment.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutSlotGuard, withoutWait } from "../lib/mutations.ts";
import type { Testbed } from "../lib/testbed.ts";
import { outcomeOf, type Trial, underLoad, withServers } from "../lib/under-load.ts";
import { inLanes } from "../lib/waiting.ts";

export const cluster: Experiment = {
  number: 27,
  title: "A cluster loses servers, and moves a busy queue",
  fault:
    "under load: a master and its replica are killed and started on their files; the queue's slot moves to another master and back, with a " +
    "backlog in it and workers killed at random; with `replica:1`: the replica is dead, stopped, or promoted",
  mustHold:
    "no acknowledged job lost, no effect repeated, no doubt stuck, each call answered in under 2 s; nothing is acknowledged that the replica " +
    "does not have",
  async run(context) {
    const [restarts, moves, replicas] = await Promise.all([
      restarted(context),
      moved(context),
      replicated(context),
    ]);
    const trials = [...restarts, ...moves.trials, ...replicas.trials];
    const outcome = outcomeOf(trials, [...moves.controls, ...replicas.controls]);
    return { ...outcome, broken: [...outcome.broken, ...replicas.broken] };
  },
};

const GUARD = ["--min-replicas-to-write", "1"];
const NODE_TIMEOUT = ["--cluster-node-timeout", "2000"];
const LOCK = { HOLDFAST_LOCK_MS: "8000" };

async function restarted(context: Context): Promise<Trial[]> {
  const random = context.random.fork("restarted");
  return await withServers(startRedisCluster([...NODE_TIMEOUT, ...GUARD]), async (servers: RedisCluster) => {
    const shard = await servers.shardOf("holdfast", "default");
    const disturbance = {
      name: "master and replica killed",
      times: context.isQuick ? 1 : 20,
      inject: () => killBoth(shard, random.between(0, 3_000)),
    };
    return [await underLoad(context, disturbance, { servers, env: LOCK })];
  });
}

/** Short, so that the jobs of killed workers are found soon. */
const SHORT_LOCK = { HOLDFAST_LOCK_MS: "2000" };

async function moved(context: Context) {
  return await withServers(startRedisCluster(GUARD), async (servers: RedisCluster) => {
    const move = (prefix: string, times: number, mutation?: Mutation) =>
      underLoad(
        context,
        {
          name: mutation === undefined ? "slot moved, workers killed" : "slot moved without guard",
          times,
          inject: (testbed) => moveSlot(testbed, servers, context, mutation !== undefined),
        },
        { servers, env: { ...SHORT_LOCK, HOLDFAST_PREFIX: prefix }, ...(mutation && { mutation }) },
      );
    const trial = await move("lab", context.isQuick ? 2 : 20);
    const broken = brokenIn(await move("bare", context.isQuick ? 2 : 4, withoutSlotGuard));
    return { trials: [trial], controls: [control("the key that is always absent", broken)] };
  });
}

function brokenIn({ verdict: { counts }, name }: Trial): string {
  const { lost, repeated, falselyDone, failed, notEnded, unexplained, concealed } = counts;
  const kinds = { lost, repeated, falselyDone, failed, notEnded, unexplained, concealed };
  const found = Object.entries(kinds).filter(([, count]) => count > 0);
  return found.length === 0 ? "" : `${name}: ${found.map(([kind, count]) => `${kind} ${count}`).join(", ")}`;
}

function control(protection: string, seen: string): Control {
  return { protection, isCaught: seen !== "", seen: seen === "" ? "nothing" : seen };
}

const BACKLOG = 150;
const KEYS_AT_ONCE = 40;

/** Moves the queue's slot with a backlog in it, and kills workers meanwhile. */
async function moveSlot(
  testbed: Testbed,
  servers: RedisCluster,
  { random, isQuick }: Context,
): Promise<void> {
  const from = testbed.client.acknowledged.length;
  const backlog = Array.from({ length: BACKLOG }, (_, index) => actJob(`backlog-${from}-${index}`, random));
  await inLanes(backlog, 16, async (job) => void (await testbed.client.submit(job)));
  const urls = servers.shards.map(({ master }) => master.url);
  const resharding = startResharding(urls, replaces);
  try {
    const slot = await resharding.open(`${testbed.env.HOLDFAST_PREFIX}:{default}:`);
    while ((await slot.moveKeys(KEYS_AT_ONCE)) > 0) {
      if (random.next() < (isQuick ? 0.1 : 0.05)) random.pick(testbed.workers).signal("SIGKILL");
      await sleep(random.between(0, 60));
    }
    await slot.close();
  } finally {
    resharding.stop();
  }
}

const REPLICA = { ...LOCK, HOLDFAST_DURABILITY: "replica:1" };

/** A way to lose a replica, and to get it back. */
interface Loss {
  readonly name: string;
  lose(shard: Shard): Promise<void>;
  restore(shard: Shard): Promise<void>;
}

const losses: readonly Loss[] = [
  {
    name: "replica dead",
    lose: ({ replica }) => replica.kill(),
    restore: ({ replica }) => replica.restart(),
  },
  {
    name: "replica stopped",
    lose: async ({ replica }) => void process.kill(replica.pid, "SIGSTOP"),
    restore: async ({ replica }) => void process.kill(replica.pid, "SIGCONT"),
  },
];

async function replicated(context: Context) {
  const times = context.isQuick ? 1 : 10;
  return await withServers(startRedisCluster(NODE_TIMEOUT), async (servers: RedisCluster) => {
    const shard = await servers.shardOf("holdfast", "default");
    const trials: Trial[] = [];
    let unheld = 0;
    const losing = async (loss: Loss, often: number, mutation?: Mutation) => {
      let acknowledged = 0;
      const inject = async (testbed: Testbed) => {
        acknowledged += await acknowledgedWithout(testbed, await inSync(shard), loss);
      };
      const env = { ...REPLICA, HOLDFAST_PREFIX: `${loss.name.replace(" ", "-")}-${mutation?.name ?? ""}` };
      const options = { servers, env, ...(mutation && { mutation }) };
      const trial = await underLoad(context, { name: loss.name, times: often, inject }, options);
      return { trial, acknowledged };
    };
    for (const loss of losses) {
      const { trial, acknowledged } = await losing(loss, times);
      trials.push(trial);
      unheld += acknowledged;
    }
    const promote = { name: "replica promoted", times, inject: () => killMaster(shard) };
    const env = { ...REPLICA, HOLDFAST_PREFIX: "promoted" };
    if (!context.isQuick) trials.push(await underLoad(context, promote, { servers, env }));
    const [dead] = losses as [Loss];
    const { acknowledged } = await losing(dead, 1, withoutWait);
    const broken = unheld === 0 ? [] : [`${unheld} jobs were acknowledged that no replica had`];
    const seen = acknowledged === 0 ? "" : `${acknowledged} jobs acknowledged while the replica was dead`;
    return { trials, broken, controls: [control("WAIT", seen)] };
  });
}

/** What was sent before has its answer by then. */
const ANSWERED_MS = 2_000;
const WITHOUT_MS = 1_500;

/** @returns how many jobs were acknowledged while the replica was away */
async function acknowledgedWithout({ client }: Testbed, shard: Shard, { lose, restore }: Loss) {
  await lose(shard);
  await sleep(ANSWERED_MS);
  const before = client.acknowledged.length;
  await sleep(WITHOUT_MS);
  const acknowledged = client.acknowledged.length - before;
  await restore(shard);
  await inSync(shard);
  return acknowledged;
}
