import { parseClusterNodes } from "../../../src/platform/redis/cluster/cluster-node.ts";
import { startResharding } from "../../../test/support/open-slot.ts";
import type { RedisCluster } from "../../../test/support/redis-cluster.ts";
import { ask, failOver, inSync } from "./cluster-roles.ts";
import type { Control } from "./experiment.ts";

/** Controls that only a forgotten move can catch, or why there are none. */
interface MoveControls {
  readonly controls: readonly Control[];
  readonly measured: readonly string[];
}

/**
 * Runs a control whose fault is a promoted replica that does not know that a slot is open. Since Valkey 8 replicas know, so that nothing
 * breaks there without the protection.
 *
 * @param servers on which no slot is open
 */
export async function whereMovesAreForgotten(
  servers: RedisCluster,
  control: () => Promise<Control>,
): Promise<MoveControls> {
  if (await forgetsMoves(servers)) return { controls: [await control()], measured: [] };
  const why =
    "no control: a promoted replica knew that its slot is open, so nothing breaks without the protection";
  return { controls: [], measured: [why] };
}

/** Opens a slot, and asks the replica of its master once that is promoted. Both get their roles back, and the slot is closed. */
async function forgetsMoves({ shards }: RedisCluster): Promise<boolean> {
  const roles = await Promise.all(shards.map(inSync));
  const resharding = startResharding(roles.map(({ master }) => master.url));
  try {
    const slot = await resharding.open("{forgotten}");
    const shard = roles.find(({ master }) => master.port === slot.sourcePort);
    if (shard === undefined) throw new Error("No shard has the slot");
    await failOver(shard);
    const { migrating } = parseClusterNodes(String(await ask(shard.replica, "CLUSTER", "NODES")));
    await failOver(shard);
    await slot.forget();
    return migrating.size === 0;
  } finally {
    resharding.stop();
  }
}
