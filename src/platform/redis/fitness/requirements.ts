import type { Redis } from "ioredis";
import type { Settings } from "../../config/settings.ts";
import { durabilityText } from "../../config/variables.ts";
import { HoldfastError } from "../../errors/holdfast-error.ts";
import { withDeadline } from "../../lib/deadline.ts";
import { kindOf, type RedisConnection, serversOf, type TopologyKind } from "../connection.ts";
import { redisUnavailable } from "../redis-errors.ts";
import { type Info, onlineReplicas, readInfo, versionOf } from "./info.ts";
import { checkLog } from "./log-state.ts";
import { checkPromotion, promotionOf } from "./promotion.ts";
import type { RedisCheck } from "./redis-check.ts";
import { checkSettings } from "./required-settings.ts";

const OLDEST_VERSION = 7;

/** What a configuration expects of Redis. */
export type Expectations = Pick<Settings, "HOLDFAST_DURABILITY" | "HOLDFAST_STORE_TRUST" | "HOLDFAST_PREFIX">;

/** Checks what the configured durability rests on. In a cluster every master is checked, and the worst is returned. */
export async function checkRedis(client: RedisConnection, expectations: Expectations): Promise<RedisCheck[]> {
  const kind = kindOf(client);
  const checked = await Promise.all(
    serversOf(client).map((server) => checkServer(client, server, expectations)),
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
  client: RedisConnection,
  server: Redis,
  { HOLDFAST_DURABILITY: durability, HOLDFAST_STORE_TRUST: stated, HOLDFAST_PREFIX: prefix }: Expectations,
): Promise<RedisCheck[]> {
  const { level, replicas } = durability;
  const kind = kindOf(client);
  const isOnDisk = level !== "memory";
  const info = await readInfo(server);
  const isKnownSafe = level === "memory" || level === "replica";
  const promotion = isKnownSafe ? "none" : await promotionOf(server, info, kind);
  const isFenced = level === "disk-despite-failover" && promotion !== "none";
  return [
    checkVersion(info),
    checkRole(info),
    checkTopology(info, kind === "cluster"),
    ...(level === "disk" ? [checkPromotion(promotion)] : []),
    ...(await checkSettings(server, { isOnDisk, isFenced }, stated)),
    ...(isOnDisk ? [await checkLog(client, server, info, prefix)] : []),
    ...(level === "replica" ? [checkReplicas(info, replicas)] : []),
  ];
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
      withDeadline(checkServer(client, server, expectations), FLAWS_WITHIN_MS, redisUnavailable),
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
function describeFlaw(flaw: RedisCheck, { HOLDFAST_DURABILITY: durability }: Expectations): string {
  const { setting, expected, found, risk, remedy } = flaw;
  return `${setting}: HOLDFAST_DURABILITY=${durabilityText(durability)} expects ${expected}, found ${found}; ${risk}. Remedy: ${remedy}.`;
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
