import { setTimeout as sleep } from "node:timers/promises";
import { type RedisCluster, startRedisCluster } from "../../../test/support/redis-cluster.ts";
import { type RedisServer, startRedisServer } from "../../../test/support/redis-server.ts";
import { replaceNodes } from "../../../test/support/replace-nodes.ts";
import { killMaster } from "../lib/cluster-roles.ts";
import { type Context, controlOf, type Experiment } from "../lib/experiment.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutNodeRenewal } from "../lib/mutations.ts";
import { outcomeOf, type Trial, underLoad, withServers } from "../lib/under-load.ts";

export const replacedNodes: Experiment = {
  number: 52,
  title: "Every node of a cluster is replaced while roles run",
  fault:
    "under load: two new servers take the place of each master and its replica, the old ones are forgotten and end; then the new masters " +
    "are killed, one after another, so that each connection is made anew",
  mustHold:
    "no acknowledged job lost, no effect repeated, no doubt stuck, no worker stuck, each call answered in under 2 s; the same roles go on, with the " +
    "addresses with which they were started",
  async run(context) {
    return outcomeOf([await replaced(context)], context.isQuick ? [] : [await control(context)]);
  },
};

const NODE_TIMEOUT = ["--cluster-node-timeout", "2000"];
const FRESH = ["--cluster-enabled", "yes", "--repl-diskless-sync-delay", "0", ...NODE_TIMEOUT];
const ENV = { HOLDFAST_LOCK_MS: "8000", HOLDFAST_STUCK_AFTER_MS: "15000" };
/** docs/topologies.md: so long the old nodes stay after the last one was replaced. */
const LEARNT_WITHIN_MS = 5_000;
/** Of masters, each of the three in turn. */
const DEATHS = { quick: 1, full: 9 };

async function replaced(context: Context, mutation?: Mutation): Promise<Trial> {
  return await withServers(startRedisCluster({ args: NODE_TIMEOUT }), async (cluster) =>
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
  let deaths = 0;
  const inject = async () => {
    const [master, replica] = pairs[deaths % pairs.length] ?? [];
    if (master === undefined || replica === undefined) {
      pairs = await replaceNodes(cluster, fresh, () => sleep(LEARNT_WITHIN_MS));
      return;
    }
    deaths += 1;
    await killMaster({ master, replica });
  };
  const servers = {
    /** Whoever comes later, as the checker does, has to know a living node; whoever runs keeps the first ones. */
    get url() {
      return pairs.length === 0 ? cluster.url : pairs.map(([master]) => master.url).join(",");
    },
  };
  const times = 1 + (context.isQuick || mutation ? DEATHS.quick : DEATHS.full);
  const disturbance = { name: "all nodes replaced, then masters killed", times, inject };
  return await underLoad(context, disturbance, { servers, env: ENV, ...(mutation && { mutation }) });
}

/** Each connection begins with the nodes of the process's start. */
async function control(context: Context) {
  const seen = replaced(context, withoutNodeRenewal).then(
    (trial) => outcomeOf([trial], []).broken.slice(0, 2),
    (error: Error) => [error.message],
  );
  return controlOf(withoutNodeRenewal.name, await seen);
}
