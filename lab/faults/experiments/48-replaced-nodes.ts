import { type RedisCluster, startRedisCluster } from "../../../test/support/redis-cluster.ts";
import { type RedisServer, startRedisServer } from "../../../test/support/redis-server.ts";
import { replaceNodes } from "../../../test/support/replace-nodes.ts";
import { killMaster } from "../lib/cluster-roles.ts";
import type { Context, Experiment } from "../lib/experiment.ts";
import { outcomeOf, underLoad, withServers } from "../lib/under-load.ts";

export const replacedNodes: Experiment = {
  number: 48,
  title: "Every node of a cluster is replaced while roles run",
  fault:
    "under load: two new servers take the place of each master and its replica, the old ones are forgotten and end; then the new masters " +
    "are killed, one after another, so that each connection is made anew",
  mustHold:
    "no acknowledged job lost, no effect repeated, no doubt stuck, no worker stuck, each call answered in under 2 s; the same roles go on",
  async run(context) {
    return await withServers(startRedisCluster({ args: ARGS }), async (cluster) =>
      withServers(startFresh(), async (fresh) => outcomeOf([await trial(context, cluster, fresh)], [])),
    );
  },
};

const ARGS = ["--cluster-node-timeout", "2000", "--repl-diskless-sync-delay", "0"];
const NODE_ARGS = ["--cluster-enabled", "yes", ...ARGS];
const ENV = { HOLDFAST_LOCK_MS: "8000", HOLDFAST_STUCK_AFTER_MS: "15000" };
/** Of masters, each of the three in turn. */
const DEATHS = { quick: 3, full: 9 };

interface Fresh {
  readonly servers: readonly RedisServer[];
  stop(): Promise<void>;
}

async function startFresh(): Promise<Fresh> {
  const servers = await Promise.all(Array.from({ length: 6 }, () => startRedisServer({ args: NODE_ARGS })));
  return { servers, stop: async () => void (await Promise.all(servers.map((server) => server.stop()))) };
}

async function trial(context: Context, cluster: RedisCluster, { servers }: Fresh) {
  let pairs: [RedisServer, RedisServer][] = [];
  let deaths = 0;
  const inject = async () => {
    const [master, replica] = pairs[deaths % pairs.length] ?? [];
    if (master === undefined || replica === undefined) {
      pairs = await replaceNodes(cluster, servers);
      return;
    }
    deaths += 1;
    await killMaster({ master, replica });
  };
  return await underLoad(
    context,
    {
      name: "all nodes replaced, then masters killed",
      times: 1 + (context.isQuick ? DEATHS.quick : DEATHS.full),
      inject,
    },
    { servers: { url: cluster.url }, env: ENV },
  );
}
