import { type RedisCluster, startRedisCluster } from "../../../test/support/redis-cluster.ts";
import { type SentinelSet, startSentinelSet } from "../../../test/support/redis-sentinel.ts";
import { failOver, killMaster } from "../lib/cluster-roles.ts";
import { type Context, type Control, type Experiment, untilCaught } from "../lib/experiment.ts";
import { withoutMasterWatch } from "../lib/mutations.ts";
import { killSentinelMaster, plannedFailover, promote, splitBrain } from "../lib/sentinel-roles.ts";
import { type Disturbance, outcomeOf, type Trial, underLoad, withServers } from "../lib/under-load.ts";

export const failover: Experiment = {
  number: 17,
  title: "A replica becomes the master",
  fault:
    "under load: a cluster's master is killed, or replaced by an operator; a Sentinel set's master is killed, stopped until a replica " +
    "is promoted and then continued, or replaced as the runbook says",
  mustHold:
    "with min-replicas-to-write 1: no acknowledged job lost, no effect repeated, no doubt stuck, each call answered in under 2 s",
  async run(context) {
    const [cluster, sentinel, controls] = await Promise.all([
      inCluster(context),
      inSentinelSet(context),
      unguarded(context),
    ]);
    return outcomeOf([...cluster, ...sentinel], controls);
  },
};

const GUARD = ["--min-replicas-to-write", "1"];
const NODE_TIMEOUT = ["--cluster-node-timeout", "2000"];
/** Longer than a failover takes. */
const LOCK = { HOLDFAST_LOCK_MS: "8000" };

async function inCluster(context: Context): Promise<Trial[]> {
  return await withServers(
    startRedisCluster({ args: [...NODE_TIMEOUT, ...GUARD] }),
    async (cluster: RedisCluster) => {
      const shard = await cluster.shardOf("holdfast", "default");
      return await trials(context, cluster.url, [
        {
          name: "cluster, master killed",
          times: context.isQuick ? 1 : 25,
          inject: () => killMaster(shard),
        },
        { name: "cluster, CLUSTER FAILOVER", times: context.isQuick ? 0 : 50, inject: () => failOver(shard) },
      ]);
    },
  );
}

async function inSentinelSet(context: Context): Promise<Trial[]> {
  const random = context.random.fork("split");
  return await withServers(startSentinelSet({ args: GUARD }), async (set: SentinelSet) =>
    trials(context, set.url, [
      {
        name: "Sentinel, master stopped and continued",
        times: context.isQuick ? 1 : 12,
        inject: () => splitBrain(set, random.between(500, 4_000)),
      },
      {
        name: "Sentinel, master killed",
        times: context.isQuick ? 0 : 12,
        inject: () => killSentinelMaster(set),
      },
      {
        name: "Sentinel, planned",
        times: context.isQuick ? 0 : 15,
        inject: (testbed) => plannedFailover(set, testbed),
      },
    ]),
  );
}

async function trials(context: Context, url: string, disturbances: readonly Disturbance[]): Promise<Trial[]> {
  const seen: Trial[] = [];
  for (const [index, disturbance] of disturbances.entries()) {
    if (disturbance.times === 0) continue;
    const env = { ...LOCK, HOLDFAST_PREFIX: `lab-${index}` };
    seen.push(await underLoad(context, disturbance, { servers: { url }, env }));
  }
  return seen;
}

/** What the old master accepts after it was continued is lost only if it has not learned of the new one by then. */
const CONTROL_TRIES = 5;

/** Nothing keeps a master without replicas from writing, and clients stay with it until it says that it is none. */
async function unguarded(context: Context): Promise<Control[]> {
  return await withServers(startSentinelSet(), async (set: SentinelSet) => {
    const control = async (name: string, time: number, inject: () => Promise<void>) => {
      const prefix = `${name.replaceAll(" ", "-")}-${time}`;
      const env = { ...LOCK, HOLDFAST_DURABILITY: "memory", HOLDFAST_PREFIX: prefix };
      const trial = await underLoad(
        context,
        { name, times: 1, inject },
        { servers: set, env, mutation: withoutMasterWatch },
      );
      return controlOf(name, trial);
    };
    const split = await untilCaught(CONTROL_TRIES, (time) =>
      control("split brain", time, () => splitBrain(set, 3_000)),
    );
    return context.isQuick ? [split] : [split, await control("planned failover", 1, () => promote(set))];
  });
}

function controlOf(name: string, { verdict: { counts } }: Trial): Control {
  const { acknowledged, lost, repeated } = counts;
  return {
    protection: `min-replicas-to-write, and the watch for a new master, in a ${name}`,
    isCaught: lost + repeated > 0,
    seen: `${lost} of ${acknowledged} acknowledged jobs lost, ${repeated} effects repeated`,
  };
}
