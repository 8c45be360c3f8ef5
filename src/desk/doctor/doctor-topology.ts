import type { Redis } from "ioredis";
import { type Durability, durabilityText } from "../../platform/config/variables.ts";
import { type Finding, finding, findings, ok } from "../../platform/errors/finding.ts";
import { durationText } from "../../platform/lib/duration-text.ts";
import { addressOf, readClusterNode } from "../../platform/redis/cluster/cluster-node.ts";
import {
  kindOf,
  RETRYING_SILENCE_MS,
  type RedisConnection,
  serversOf,
} from "../../platform/redis/connection.ts";
import { readInfo } from "../../platform/redis/fitness/info.ts";
import { readRedisSettings } from "../../platform/redis/fitness/redis-checks.ts";
import { openSentinels } from "../ask-sentinels.ts";
import { counted } from "../counted.ts";

type Topology = Awaited<ReturnType<typeof readTopology>>;
/** A server that takes writes: one, or those of a cluster. */
type Master = Topology["masters"][number];

async function readTopology(client: RedisConnection) {
  const kind = kindOf(client);
  const servers = serversOf(client);
  const [masters, sentinel] = await Promise.all([
    Promise.all(servers.map((server) => readMaster(server, kind === "cluster"))),
    kind === "sentinel" ? readSentinels(client as Redis) : undefined,
  ]);
  return { kind, masters, sentinel };
}

const COVERAGE = "cluster-require-full-coverage";

async function readMaster(server: Redis, isInCluster: boolean) {
  const info = await readInfo(server);
  const node = isInCluster ? await readClusterNode(server) : undefined;
  const settings = isInCluster
    ? await readRedisSettings(server, ["cluster-node-timeout", COVERAGE])
    : undefined;
  const timeout = settings?.get("cluster-node-timeout");
  return {
    address: addressOf(server),
    /** Those that are away included, as far as anybody knows them. */
    replicas: Math.max(Number(info.get("connected_slaves") ?? 0), node?.replicas ?? 0),
    /** How many of a cluster's slots are being moved, to it or away from it. */
    openSlots: node?.openSlots ?? 0,
    /** Whether it stops while another master's slots are not served. */
    needsWholeCluster: settings?.get(COVERAGE) === "yes",
    /** For how long it must be silent before a replica is promoted; undefined outside a cluster or if Redis does not say. */
    nodeTimeoutMs: timeout === undefined ? undefined : Number(timeout),
  };
}

async function readSentinels(client: Redis) {
  const { name = "" } = client.options;
  const { ask, close } = openSentinels(client.options);
  try {
    const fields = (await ask("MASTER", name)) as readonly string[];
    const count = (field: string) => Number(fields[fields.indexOf(field) + 1]);
    const maxLag = (await readRedisSettings(client, ["min-replicas-max-lag"])).get("min-replicas-max-lag");
    return {
      name,
      sentinels: count("num-other-sentinels") + 1,
      quorum: count("quorum"),
      replicas: count("num-slaves"),
      /** How long the master must be silent before a replica is promoted. */
      downAfterMs: count("down-after-milliseconds"),
      /** For how long a master that lost its replicas still takes writes; undefined where Redis does not say. */
      maxLagMs: maxLag === undefined ? undefined : Number(maxLag) * 1_000,
    };
  } finally {
    close();
  }
}

/** Names the topology and what it gives, and checks what only matters where a replica can be promoted. */
export async function diagnoseTopology(client: RedisConnection, durability: Durability): Promise<Finding[]> {
  const topology = await readTopology(client);
  const { masters, sentinel } = topology;
  return findings(
    ok("topology", `${nameOf(topology)}; ${durabilityText(durability)}: ${survives(topology, durability)}`),
    topology.kind === "server" && idleReplicas(masters, durability),
    sentinel && sentinels(sentinel),
    topology.kind === "cluster" && findings(coverage(masters), nodeTimeout(masters), openSlots(masters)),
  );
}

function nameOf({ kind, masters, sentinel }: Topology): string {
  const replicas = counted(
    sentinel?.replicas ?? masters.reduce((sum, master) => sum + master.replicas, 0),
    "replica",
  );
  if (sentinel !== undefined) return `Sentinel set ${sentinel.name}: master + ${replicas}`;
  return kind === "cluster"
    ? `Redis Cluster: ${counted(masters.length, "master")} + ${replicas}`
    : `one server + ${replicas}`;
}

function survives(topology: Topology, { level, replicas, isDefault }: Durability): string {
  if (level === "memory") return "survives a crash of any process, but not of Redis";
  const canPromote = topology.kind !== "server" && mostReplicas(topology) > 0;
  if (level !== "replica" && !canPromote)
    return "survives a crash of Redis and of its machine, if the disk survives";
  if (level !== "replica")
    return `survives a crash of Redis and of its machine; a promotion loses what the promoted replica does not have yet, ${plannedWay(topology)}`;
  if (isDefault || replicas >= mostReplicas(topology))
    return "survives the loss of a machine, whichever replica is promoted";
  return `survives the loss of a machine, if one of the ${replicas} that confirmed is promoted`;
}

function plannedWay({ kind }: Topology): string {
  return kind === "cluster"
    ? "a planned one (CLUSTER FAILOVER) nothing"
    : "a planned one (holdfast store failover) nothing";
}

function mostReplicas({ masters, sentinel }: Topology): number {
  return Math.max(sentinel?.replicas ?? 0, ...masters.map(({ replicas }) => replicas));
}

/** Behind one URL nobody can see what promotes a replica. */
function idleReplicas([master]: readonly Master[], { level }: Durability): Finding | undefined {
  if (level !== "disk" || master === undefined || master.replicas === 0) return undefined;
  return finding("replicas behind one URL", "warn", counted(master.replicas, "replica"), {
    reason: "if something promotes one without a person, acknowledged jobs are lost and effects run twice",
    remedy: `a REDIS_URL that names the Sentinels or the cluster; or HOLDFAST_DURABILITY=replica:${master.replicas}`,
  });
}

function sentinels({
  sentinels: count,
  quorum,
  downAfterMs,
  maxLagMs,
}: NonNullable<Topology["sentinel"]>): Finding[] {
  const found = `${count}, quorum ${quorum}; they promote a replica after ${durationText(downAfterMs)}`;
  const isLate = maxLagMs !== undefined && maxLagMs > downAfterMs;
  return [
    finding("sentinels", count >= 3 ? "ok" : "warn", found, {
      reason: "fewer than three do not outlive the loss of one",
      remedy: "run three, each on a machine of its own",
    }),
    finding("min-replicas-max-lag", isLate ? "warn" : "ok", durationText(maxLagMs ?? 0), {
      reason:
        "a master that is cut off takes writes for longer than it takes to promote another, and they are lost",
      remedy: `CONFIG SET min-replicas-max-lag ${Math.max(2, Math.floor(downAfterMs / 1_000))}, or a longer down-after-milliseconds`,
    }),
  ];
}

function coverage(masters: readonly Master[]): Finding {
  const needy = masters.filter(({ needsWholeCluster }) => needsWholeCluster);
  return finding(
    "cluster-require-full-coverage",
    needy.length === 0 ? "ok" : "warn",
    needy.length === 0 ? "no" : "yes",
    {
      reason: "while one master is replaced, the queues of all others stop as well, for about a second",
      remedy: "CONFIG SET cluster-require-full-coverage no, on every node",
    },
  );
}

/**
 * A master that was paused, and has been replaced meanwhile, first acknowledges what was under way when it wakes up. By then a
 * worker must have given up the connection.
 */
function nodeTimeout(masters: readonly Master[]): Finding | undefined {
  const known = masters.flatMap(({ replicas, nodeTimeoutMs }) => (replicas > 0 ? (nodeTimeoutMs ?? []) : []));
  if (known.length === 0) return undefined;
  const shortest = Math.min(...known);
  const verdict = shortest > RETRYING_SILENCE_MS ? "ok" : "warn";
  return finding("cluster-node-timeout", verdict, durationText(shortest), {
    reason:
      "a master that was paused for longer, and was replaced, acknowledges one write of each worker when it wakes up",
    remedy: `CONFIG SET cluster-node-timeout 15000, on every node: longer than the ${durationText(RETRYING_SILENCE_MS)} after which workers give up a silent server`,
  });
}

/** Half of a slot's keys are on either node, and scripts that reach undeclared keys see the other half as absent. */
function openSlots(masters: readonly Master[]): Finding {
  const open = masters.filter(({ openSlots: count }) => count > 0);
  const found = open.map(({ address, openSlots: count }) => `${count} at ${address}`).join(", ");
  return finding("open slots", open.length === 0 ? "ok" : "warn", found || "none", {
    reason: "a slot is being moved, or was left half-moved: until it is closed, its queue may answer 503",
    remedy: "wait until the move is over; if none runs, redis-cli --cluster fix",
  });
}
