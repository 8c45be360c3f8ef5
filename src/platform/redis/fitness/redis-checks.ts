import slotOf from "cluster-key-slot";
import { Cluster, type Redis } from "ioredis";
import type { Settings } from "../../config/settings.ts";
import type { Durability, StatedSettings } from "../../config/variables.ts";
import { addressOf } from "../cluster/cluster-node.ts";
import { kindOf, type RedisConnection, serversOf } from "../connection.ts";
import { replicasOf } from "../replicas/replica-watch.ts";
import { type Info, readInfo, versionOf } from "./info.ts";
import { type RedisCheck, UNSAID } from "./redis-check.ts";
import { checkPromotion, checkReplicas, promotionIn } from "./replica-checks.ts";

/** What a configuration expects of Redis. */
export type Expectations = Pick<Settings, "HOLDFAST_DURABILITY" | "HOLDFAST_STORE_TRUST" | "HOLDFAST_PREFIX">;

/** Checks one server. */
export async function checkServer(
  client: RedisConnection,
  server: Redis,
  { HOLDFAST_DURABILITY: durability, HOLDFAST_STORE_TRUST: stated, HOLDFAST_PREFIX: prefix }: Expectations,
): Promise<RedisCheck[]> {
  const { level } = durability;
  const kind = kindOf(client);
  const isOnDisk = level !== "memory";
  const info = await readInfo(server);
  const replicas = await replicasOf(client).read(server, info);
  const promotion = promotionIn(kind, replicas, info);
  const isFenced = level === "disk-despite-failover" && promotion.by !== "none";
  return [
    checkVersion(info),
    checkRole(info),
    checkTopology(info, kind === "cluster"),
    ...checkPromotion(promotion, durability),
    ...(await checkSettings(server, { isOnDisk, isFenced }, stated)),
    ...(isOnDisk ? [await checkLog(client, server, info, prefix)] : []),
    ...checkReplicas(info, replicas, durability),
  ];
}

interface Setting {
  readonly name: string;
  /** The value that the remedy sets. */
  readonly value: string;
  /** Whether another value is as good. @default only that one */
  readonly accepts?: (found: string) => boolean;
  /** What is expected, if it is not that value alone. */
  readonly expected?: string;
  readonly risk: string;
}

const eviction: Setting = {
  name: "maxmemory-policy",
  value: "noeviction",
  risk: "under memory pressure Redis deletes jobs and keys",
};

const persistence: readonly Setting[] = [
  { name: "appendonly", value: "yes", risk: "a restart of Redis loses acknowledged jobs" },
  {
    name: "appendfsync",
    value: "always",
    risk: "a crash loses up to the last second of acknowledged jobs",
  },
  {
    name: "no-appendfsync-on-rewrite",
    value: "no",
    risk: "a crash while the log is rewritten loses acknowledged jobs",
  },
];

/** With `replica:N` the replicas' confirmations do the same. */
const fences: readonly Setting[] = [
  {
    name: "min-replicas-to-write",
    value: "1",
    accepts: (found) => Number(found) >= 1,
    expected: "1 or more",
    risk: "a master that was cut off or paused still takes writes after a replica was promoted, so effects can run twice",
  },
  {
    name: "min-replicas-max-lag",
    value: "10",
    accepts: (found) => Number(found) >= 1,
    expected: "1 or more",
    risk: "0 switches min-replicas-to-write off",
  },
];

/** The settings that a promise needs. */
export interface Needs {
  readonly isOnDisk: boolean;
  /** Whether a master that lost its replicas must stop taking writes. */
  readonly isFenced: boolean;
}

/** Checks the settings of one server. */
export async function checkSettings(
  server: Redis,
  { isOnDisk, isFenced }: Needs,
  stated: StatedSettings,
): Promise<RedisCheck[]> {
  const needed = [eviction, ...(isOnDisk ? persistence : []), ...(isFenced ? fences : [])];
  const found = await readRedisSettings(
    server,
    needed.map(({ name }) => name),
  );
  return needed.map((setting) => checkSetting(setting, found.get(setting.name), stated.get(setting.name)));
}

function checkSetting(
  { name, value, accepts = (text) => text === value, expected = value, risk }: Setting,
  found: string | undefined,
  stated: string | undefined,
): RedisCheck {
  const known = found ?? stated;
  return {
    setting: name,
    expected,
    found: known ?? UNSAID,
    holds: known !== undefined && accepts(known),
    ...(found === undefined && stated !== undefined && { isStated: true }),
    risk,
    remedy:
      found === undefined
        ? `allow the user CONFIG GET, or see that the provider gives ${name} ${value} and state it: HOLDFAST_STORE_TRUST=${name}=${value}`
        : `CONFIG SET ${name} ${value}`,
  };
}

/** Reads settings by name. Those that Redis does not report are absent. */
export async function readRedisSettings(
  server: Redis,
  names: readonly string[],
): Promise<Map<string, string>> {
  try {
    const reply = (await server.call("CONFIG", "GET", ...names)) as string[];
    const found = new Map<string, string>();
    for (let at = 0; at < reply.length; at += 2) found.set(reply[at] ?? "", reply[at + 1] ?? "");
    return found;
  } catch (error) {
    // Hosted Redis forbids CONFIG; that is a finding, not a fault.
    if (error instanceof Error && /^(NOPERM|ERR)/.test(error.message)) return new Map();
    throw error;
  }
}

const ANSWERED_WITHIN_MS = 500;

/**
 * Checks that the append-only log is complete. After `CONFIG SET appendonly yes` Redis calls it on at once, writes it in the background, and
 * starts without it after a crash until it is written. INFO shows the same for each later rewrite; only `WAITAOF` knows the difference.
 *
 * @param prefix of the keys that this process may write
 */
async function checkLog(
  client: RedisConnection,
  server: Redis,
  info: Info,
  prefix: string,
): Promise<RedisCheck> {
  const isComplete = isRewriting(info) ? await acknowledgesWrites(client, server, prefix) : true;
  return {
    setting: "append-only log",
    expected: "complete",
    found: isComplete === false ? "still being written for the first time" : foundText(isComplete),
    holds: isComplete !== false,
    risk: "a crash loses everything that is acknowledged until it is complete",
    remedy:
      "wait until it is: INFO persistence then shows aof_rewrite_in_progress:0 and aof_last_bgrewrite_status:ok",
  };
}

function foundText(isComplete: true | undefined): string {
  return isComplete ? "complete" : "being rewritten; this Redis does not say whether for the first time";
}

function isRewriting(info: Info): boolean {
  if (info.get("aof_enabled") !== "1") return false;
  const isFailing = (info.get("aof_last_bgrewrite_status") ?? "ok") !== "ok";
  return (
    info.get("aof_rewrite_in_progress") === "1" || info.get("aof_rewrite_scheduled") === "1" || isFailing
  );
}

/** @returns undefined where Redis is older than 7.2, forbids `WAITAOF` or takes no write */
async function acknowledgesWrites(
  client: RedisConnection,
  server: Redis,
  prefix: string,
): Promise<boolean | undefined> {
  const key = keyOn(client, server, prefix);
  if (key === undefined) return undefined;
  const replies = await server
    .pipeline([
      ["set", key, "1", "PX", "1000"],
      ["call", "WAITAOF", "1", "0", String(ANSWERED_WITHIN_MS)],
    ])
    .exec();
  const [written, waited] = replies ?? [];
  if (written?.[0] !== null || waited?.[0] !== null) return undefined;
  return Number((waited[1] as readonly unknown[])[0]) >= 1;
}

const TRIES_MAX = 100_000;

/** A key in a slot of this server. @returns undefined where it has none */
function keyOn(client: RedisConnection, server: Redis, prefix: string): string | undefined {
  const nameOf = (number: number) => `${prefix}:{log-${number}}:written`;
  if (!(client instanceof Cluster)) return nameOf(0);
  const address = addressOf(server);
  for (let number = 0; number < TRIES_MAX; number += 1)
    if (client.slots[slotOf(nameOf(number))]?.[0] === address) return nameOf(number);
  return undefined;
}

/** Returns the durability in force: where none is configured, all replicas that can be promoted must confirm. */
export async function durabilityFor(client: RedisConnection, configured: Durability): Promise<Durability> {
  if (configured.isDefault === undefined) return configured;
  const kind = kindOf(client);
  const watch = replicasOf(client);
  const promotions = serversOf(client).map(async (server) => {
    const info = await readInfo(server);
    return promotionIn(kind, await watch.read(server, info), info);
  });
  const isSafe = (await Promise.all(promotions)).every(({ by }) => by === "none");
  if (isSafe) return { level: "disk", replicas: 0, isDefault: true };
  return {
    level: "replica",
    isDefault: true,
    get replicas() {
      return watch.most;
    },
  };
}

const OLDEST_VERSION = 7;

export function checkVersion(info: Info): RedisCheck {
  const version = info.get("redis_version") ?? "0";
  return {
    setting: "version",
    expected: `${OLDEST_VERSION}.0 or newer`,
    found: versionOf(info),
    holds: Number.parseInt(version, 10) >= OLDEST_VERSION,
    risk: "older versions lack commands that the guarantees rest on",
    remedy: "upgrade Redis",
  };
}

function checkRole(info: Info): RedisCheck {
  const role = info.get("role") ?? "master";
  return {
    setting: "role",
    expected: "master",
    found: role === "slave" ? "a read-only replica" : role,
    holds: role === "master",
    isEnforced: true,
    risk: "it refuses writes, so no job can be accepted, run or finished",
    remedy:
      "point REDIS_URL at the master, or at the Sentinel set that knows it; REPLICAOF NO ONE makes this one a master",
  };
}

/** A client for one server cannot use a cluster, nor the other way round. */
function checkTopology(info: Info, isClusterExpected: boolean): RedisCheck {
  const isCluster = info.get("cluster_enabled") === "1";
  return {
    setting: "cluster",
    expected: isClusterExpected ? "a node of a Redis Cluster" : "one server",
    found: isCluster ? "a node of a Redis Cluster" : "one server",
    holds: isCluster === isClusterExpected,
    risk: "keys that this node does not hold cannot be reached",
    remedy: "REDIS_URL=redis://NODE:PORT,redis://NODE:PORT for a cluster, and one URL alone for one server",
  };
}
