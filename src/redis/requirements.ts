import type { Redis } from "ioredis";
import type { Settings } from "../config/settings.ts";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { withDeadline } from "../lib/deadline.ts";
import { readClusterNode } from "./cluster-node.ts";
import { kindOf, type RedisConnection, serversOf, type TopologyKind } from "./connection.ts";
import { type Info, onlineReplicas, readInfo, versionOf } from "./info.ts";
import { redisUnavailable } from "./redis-errors.ts";

/** One setting of Redis that the guarantees rest on. */
export interface RedisCheck {
  readonly setting: string;
  readonly expected: string;
  readonly found: string;
  readonly holds: boolean;
  /** Whether it cannot be read, and an operator states it. */
  readonly isStated?: true;
  /** Whether Redis itself, or `WAIT`, refuses each write while it does not hold. */
  readonly isEnforced?: true;
  /** What can happen otherwise. */
  readonly risk: string;
  readonly remedy: string;
}

const OLDEST_VERSION = 7;

/** What a configuration expects of Redis. */
export type Expectations = Pick<Settings, "HOLDFAST_DURABILITY" | "HOLDFAST_STORE_TRUST">;

/** Checks what the configured durability rests on. In a cluster every master is checked, and the worst is returned. */
export async function checkRedis(client: RedisConnection, expectations: Expectations): Promise<RedisCheck[]> {
  const kind = kindOf(client);
  const checked = await Promise.all(
    serversOf(client).map((server) => checkServer(server, expectations, kind)),
  );
  return worstOf(checked, kind);
}

/** Of each setting the check that does not hold, if there is one. Masters without replicas need fewer settings than others. */
function worstOf(checked: RedisCheck[][], kind: TopologyKind): RedisCheck[] {
  const worst = new Map<string, RedisCheck>();
  for (const check of (kind === "cluster" ? withoutDemoted(checked) : checked).flat())
    if (!worst.has(check.setting) || !check.holds) worst.set(check.setting, check);
  return [...worst.values()];
}

/** The client learns within seconds that a cluster has another master; until then it still lists the old one. */
function withoutDemoted(checked: RedisCheck[][]): RedisCheck[][] {
  const masters = checked.filter((checks) =>
    checks.every(({ setting, holds }) => setting !== "role" || holds),
  );
  return masters.length === 0 ? checked : masters;
}

async function checkServer(
  client: Redis,
  { HOLDFAST_DURABILITY: durability, HOLDFAST_STORE_TRUST: stated }: Expectations,
  kind: TopologyKind,
): Promise<RedisCheck[]> {
  const info = await readInfo(client);
  const settings = durability.level === "memory" ? [eviction] : [eviction, ...persistence];
  const fences =
    durability.level === "disk" && (await canBePromotedAway(client, info, kind)) ? [fencing] : [];
  return [
    checkVersion(info),
    checkRole(info),
    checkTopology(info, kind === "cluster"),
    ...(await Promise.all(
      [...settings, ...fences].map((setting) => checkSetting(client, setting, stated.get(setting.name))),
    )),
    ...(durability.level === "replica" ? [checkReplicas(info, durability.replicas)] : []),
  ];
}

/** Whether something promotes a replica by itself. A cluster's master without a replica keeps its role, whatever happens. */
async function canBePromotedAway(client: Redis, info: Info, kind: TopologyKind): Promise<boolean> {
  if (kind !== "cluster") return kind === "sentinel";
  if (Number(info.get("connected_slaves") ?? 0) > 0) return true;
  return ((await readClusterNode(client))?.replicas ?? 0) > 0;
}

/** @throws HoldfastError `STORE_UNFIT` that names every flaw, its risk and its remedy */
export async function requireFitRedis(client: RedisConnection, expectations: Expectations): Promise<void> {
  const flaws = (await checkRedis(client, expectations)).filter(({ holds }) => !holds);
  if (flaws.length === 0) return;
  throw new HoldfastError("STORE_UNFIT", flaws.map((flaw) => describeFlaw(flaw, expectations)).join("\n"));
}

/** A server that answers later is not asked: writes to it time out, too. */
const FLAWS_WITHIN_MS = 1_000;

/**
 * Finds what neither Redis nor `WAIT` enforces with each write, of the servers that can be reached.
 *
 * @returns a line for each flaw
 * @throws an error of Redis if none can be reached
 */
export async function findFlaws(client: RedisConnection, expectations: Expectations): Promise<string[]> {
  const kind = kindOf(client);
  const checked = await Promise.allSettled(
    serversOf(client).map((server) =>
      withDeadline(checkServer(server, expectations, kind), FLAWS_WITHIN_MS, redisUnavailable),
    ),
  );
  const reached = checked.filter((check) => check.status === "fulfilled").map(({ value }) => value);
  if (reached.length === 0)
    throw checked.find((check) => check.status === "rejected")?.reason ?? redisUnavailable();
  const flaws = worstOf(reached, kind).filter(({ holds, isEnforced }) => !holds && isEnforced === undefined);
  return flaws.map((flaw) => describeFlaw(flaw, expectations));
}

/**
 * Checks only the version: on an older one even the check for data loss fails.
 *
 * @throws HoldfastError `STORE_UNFIT`
 */
export async function requireVersion(client: RedisConnection, expectations: Expectations): Promise<void> {
  const checks = await Promise.all(
    serversOf(client).map(async (server) => checkVersion(await readInfo(server))),
  );
  const flaw = checks.find(({ holds }) => !holds);
  if (flaw !== undefined) throw new HoldfastError("STORE_UNFIT", describeFlaw(flaw, expectations));
}

/** The flaw as one line for an operator. */
function describeFlaw(flaw: RedisCheck, { HOLDFAST_DURABILITY: { level } }: Expectations): string {
  const { setting, expected, found, risk, remedy } = flaw;
  return `${setting}: HOLDFAST_DURABILITY=${level} expects ${expected}, found ${found}; ${risk}. Remedy: ${remedy}.`;
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
const fencing: Setting = {
  name: "min-replicas-to-write",
  value: "1",
  accepts: (found) => Number(found) >= 1,
  expected: "1 or more",
  risk: "a master that was cut off or paused still takes writes after a replica was promoted, so effects can run twice",
};

async function checkSetting(
  client: Redis,
  { name, value, accepts = (text) => text === value, expected = value, risk }: Setting,
  stated: string | undefined,
): Promise<RedisCheck> {
  const found = await readSetting(client, name);
  const known = found ?? stated;
  return {
    setting: name,
    expected,
    found: known ?? "(Redis does not say)",
    holds: known !== undefined && accepts(known),
    ...(found === undefined && stated !== undefined && { isStated: true }),
    risk,
    remedy:
      found === undefined
        ? `allow the user CONFIG GET, or see that the provider gives ${name} ${value} and state it: HOLDFAST_STORE_TRUST=${name}=${value}`
        : `CONFIG SET ${name} ${value}`,
  };
}

/** @returns undefined where Redis does not say */
export async function readSetting(client: Redis, name: string): Promise<string | undefined> {
  try {
    const reply = (await client.config("GET", name)) as string[];
    return reply[1];
  } catch (error) {
    // Hosted Redis forbids CONFIG; that is a finding, not a fault.
    if (error instanceof Error && /^(NOPERM|ERR)/.test(error.message)) return undefined;
    throw error;
  }
}

function checkVersion(info: Info): RedisCheck {
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

function checkReplicas(info: Info, wanted: number): RedisCheck {
  const online = onlineReplicas(info);
  return {
    setting: "replicas",
    expected: `${wanted} online`,
    found: String(online),
    holds: online >= wanted,
    isEnforced: true,
    risk: "no job can be acknowledged as replicated",
    remedy: "connect the missing replicas",
  };
}
