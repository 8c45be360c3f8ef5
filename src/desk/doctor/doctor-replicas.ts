import { kindOf, type RedisConnection } from "../../platform/redis/connection.ts";
import { checkReplicaSettings, type ReplicaChecks } from "../../platform/redis/fitness/replica-logs.ts";
import type { Expectations } from "../../platform/redis/fitness/requirements.ts";
import { type Finding, finding } from "./finding.ts";

/** Checks what each replica would keep as a master: after its promotion acknowledged jobs rest on its disk. */
export async function diagnoseReplicas(
  client: RedisConnection,
  { HOLDFAST_DURABILITY: { level }, HOLDFAST_STORE_TRUST: stated }: Expectations,
): Promise<Finding[]> {
  if (level === "memory") return [];
  const verdict = kindOf(client) === "server" ? "warn" : "bad";
  return (await checkReplicaSettings(client, stated)).map((replica) => diagnoseReplica(replica, verdict));
}

function diagnoseReplica({ address, flaws }: ReplicaChecks, verdict: "warn" | "bad"): Finding {
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
