import type { Redis } from "ioredis";
import type { StatedSettings } from "../../platform/config/variables.ts";
import { type Finding, finding } from "../../platform/errors/finding.ts";
import { withDeadline } from "../../platform/lib/deadline.ts";
import { kindOf, type RedisConnection, serversOf } from "../../platform/redis/connection.ts";
import { readInfo, replicaLines } from "../../platform/redis/fitness/info.ts";
import { checkSettings, type Expectations } from "../../platform/redis/fitness/redis-checks.ts";
import { redisUnavailable } from "../../platform/redis/redis-errors.ts";
import { connectTo } from "../ask-sentinels.ts";

/** Checks what each replica would keep as a master: after its promotion acknowledged jobs rest on its disk. */
export async function diagnoseReplicas(
  client: RedisConnection,
  { HOLDFAST_DURABILITY: { level }, HOLDFAST_STORE_TRUST: stated }: Expectations,
): Promise<Finding[]> {
  if (level === "memory") return [];
  const verdict = kindOf(client) === "server" ? "warn" : "bad";
  return (await checkReplicaSettings(client, stated)).map((replica) => diagnoseReplica(replica, verdict));
}

function diagnoseReplica(
  { address, flaws }: Awaited<ReturnType<typeof checkReplica>>,
  verdict: "warn" | "bad",
): Finding {
  const name = `replica ${address}`;
  if (flaws === undefined)
    return finding(name, "warn", "cannot be asked from here", {
      reason: "nobody knows whether it would keep jobs on its disk as a master",
      remedy: "check its appendonly, appendfsync and maxmemory-policy there",
    });
  const found = flaws.map(({ setting, found: value }) => `${setting} ${value}`).join(", ");
  return finding(name, flaws.length === 0 ? "ok" : verdict, found || "would keep what is acknowledged", {
    reason: "once it is promoted, everything acknowledged is gone with its next crash",
    remedy: flaws.map(({ remedy }) => `on this replica: ${remedy}`).join("; "),
  });
}

const ANSWERED_WITHIN_MS = 500;

/** Checks the settings of all replicas: any of them can be the master tomorrow. */
async function checkReplicaSettings(client: RedisConnection, stated: StatedSettings) {
  const checked = serversOf(client).map(async (master) => {
    const info = await readInfo(master);
    const replicas = replicaLines(info).map(addressIn);
    return await Promise.all(replicas.map((address) => checkReplica(master, address, stated)));
  });
  return (await Promise.all(checked)).flat();
}

function addressIn(replica: string) {
  const [, host = ""] = /ip=([^,]*)/.exec(replica) ?? [];
  const [, port = "0"] = /port=(\d+)/.exec(replica) ?? [];
  return { host, port: Number(port) };
}

/** Finds its settings that do not hold; undefined where it cannot be asked. */
async function checkReplica({ options }: Redis, at: ReturnType<typeof addressIn>, stated: StatedSettings) {
  const replica = connectTo(options, at, { connectTimeout: ANSWERED_WITHIN_MS });
  const address = `${at.host}:${at.port}`;
  try {
    const checking = checkSettings(replica, { isOnDisk: true, isFenced: false }, stated);
    const checks = await withDeadline(checking, ANSWERED_WITHIN_MS, redisUnavailable);
    return { address, flaws: checks.filter(({ holds }) => !holds) };
  } catch {
    return { address, flaws: undefined };
  } finally {
    replica.disconnect();
  }
}
