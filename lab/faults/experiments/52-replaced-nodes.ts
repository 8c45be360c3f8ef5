import { setTimeout as sleep } from "node:timers/promises";
import { type RedisCluster, startRedisCluster } from "../../../test/support/redis-cluster.ts";
import { type RedisServer, startRedisServer } from "../../../test/support/redis-server.ts";
import { replaceNodes } from "../../../test/support/replace-nodes.ts";
import { inSync, killMaster } from "../lib/cluster-roles.ts";
import { type Context, controlOf, type Experiment } from "../lib/experiment.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutNodeRenewal } from "../lib/mutations.ts";
import { partition } from "../lib/partition-queue.ts";
import type { Testbed } from "../lib/testbed.ts";
import { outcomeOf, type Trial, underLoad, withServers } from "../lib/under-load.ts";

export const replacedNodes: Experiment = {
  number: 52,
  title: "Every node of a cluster is replaced while roles run",
  fault:
    "under load: two new servers take the place of each master and its replica, the old ones are forgotten and end; then the queue gets " +
    "partitions, which take new connections; all servers are killed at once and started again; then the new masters are killed, one after another",
  mustHold:
    "no acknowledged job lost, no effect repeated, no doubt stuck, no worker stuck, each call answered in under 2 s; the same roles go on, with the " +
    "addresses with which they were started",
  async run(context) {
    return outcomeOf([await replaced(context)], context.isQuick ? [] : [await control(context)]);
  },
};

/** No replica moves to another master, which a busy machine made look as if it had none. */
const NODES = ["--cluster-node-timeout", "2000", "--cluster-allow-replica-migration", "no"];
const FRESH = ["--cluster-enabled", "yes", "--repl-diskless-sync-delay", "0", ...NODES];
const ENV = { HOLDFAST_LOCK_MS: "8000", HOLDFAST_STUCK_AFTER_MS: "15000" };
/** docs/topologies.md: so long the old nodes stay after the last one was replaced. */
const LEARNT_WITHIN_MS = 5_000;
const PARTITIONS = 3;
/** A client keeps nodes that it never needed until it has asked each of them in vain. */
const DOWN_MS = 15_000;
/** Of masters, each of the three in turn. */
const DEATHS = { quick: 1, full: 9 };

async function replaced(context: Context, mutation?: Mutation): Promise<Trial> {
  return await withServers(startRedisCluster({ args: NODES }), async (cluster) =>
    withServers(startFresh(), ({ servers }) => replaceUnderLoad(context, cluster, servers, mutation)),
  );
}

async function startFresh() {
  const servers = await Promise.all(Array.from({ length: 6 }, () => startRedisServer({ args: FRESH })));
  return { servers, stop: async () => void (await Promise.all(servers.map((server) => server.stop()))) };
}

async function replaceUnderLoad(
  context: Context,
  cluster: RedisCluster,
  fresh: readonly RedisServer[],
  mutation: Mutation | undefined,
): Promise<Trial> {
  let pairs: [RedisServer, RedisServer][] = [];
  const replace = async () => {
    pairs = await replaceNodes(cluster, fresh, () => sleep(LEARNT_WITHIN_MS));
  };
  const kill = async (death: number) => {
    const [master, replica] = pairs[death % pairs.length] as [RedisServer, RedisServer];
    await killMaster({ master, replica });
  };
  const deaths = mutation ? 0 : DEATHS[context.isQuick ? "quick" : "full"];
  const divide = async ({ installation, env }: Testbed) =>
    await partition({ installation, env: { ...env, REDIS_URL: servers.url } }, PARTITIONS);
  const steps = [
    replace,
    divide,
    ...(context.isQuick || mutation ? [] : [() => stopAll(pairs)]),
    ...Array.from({ length: deaths }, (_, death) => () => kill(death)),
  ];
  const next = steps.values();
  const servers = {
    /** Whoever comes later, as the checker does, has to know a living node; whoever runs keeps the first ones. */
    get url() {
      return pairs.length === 0 ? cluster.url : pairs.map(([master]) => master.url).join(",");
    },
  };
  const inject = async (testbed: Testbed) => await next.next().value?.(testbed);
  const disturbance = {
    name: "all nodes replaced, then new connections and deaths",
    times: steps.length,
    inject,
  };
  return await underLoad(context, disturbance, { servers, env: ENV, ...(mutation && { mutation }) });
}

/** Only so does a cluster's client lose each node that it has learnt of, and begins anew. */
async function stopAll(pairs: readonly [RedisServer, RedisServer][]): Promise<void> {
  await Promise.all(pairs.flat().map((server) => server.kill()));
  await sleep(DOWN_MS);
  await Promise.all(pairs.flat().map((server) => server.restart()));
  for (const [master, replica] of pairs) await inSync({ master, replica });
}

/** Each connection begins with the nodes of the process's start. */
async function control(context: Context) {
  const seen = replaced(context, withoutNodeRenewal).then(
    (trial) => outcomeOf([trial], []).broken.slice(0, 2),
    (error: Error) => [error.message],
  );
  return controlOf(withoutNodeRenewal.name, await seen);
}
