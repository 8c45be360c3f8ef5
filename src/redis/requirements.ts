import { Cluster, type Redis } from "ioredis";
import type { Settings } from "../config/settings.ts";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { type RedisConnection, serversOf } from "./connection.ts";

/** One setting of Redis that the guarantees rest on. */
export interface RedisCheck {
  readonly setting: string;
  readonly expected: string;
  readonly found: string;
  readonly holds: boolean;
  /** Whether it cannot be read, and an operator states it. */
  readonly isStated?: true;
  /** What can happen otherwise. */
  readonly risk: string;
  readonly remedy: string;
}

const OLDEST_VERSION = 7;

/** What a configuration expects of Redis. */
export type Expectations = Pick<Settings, "HOLDFAST_DURABILITY" | "HOLDFAST_STORE_TRUST">;

/** Checks what the configured durability rests on. In a cluster every master is checked, and the worst is returned. */
export async function checkRedis(client: RedisConnection, expectations: Expectations): Promise<RedisCheck[]> {
  const [first = [], ...others] = await Promise.all(
    serversOf(client).map((server) => checkServer(server, expectations, client instanceof Cluster)),
  );
  return first.map((check, index) =>
    check.holds ? (others.map((checks) => checks[index]).find((other) => !other?.holds) ?? check) : check,
  );
}

async function checkServer(
  client: Redis,
  { HOLDFAST_DURABILITY: durability, HOLDFAST_STORE_TRUST: stated }: Expectations,
  isClusterExpected: boolean,
): Promise<RedisCheck[]> {
  const info = await readInfo(client);
  const settings = durability.level === "memory" ? [eviction] : [eviction, ...persistence];
  return [
    checkVersion(info),
    checkRole(info),
    checkTopology(info, isClusterExpected),
    ...(await Promise.all(
      settings.map((setting) => checkSetting(client, setting, stated.get(setting.name))),
    )),
    ...(durability.level === "replica" ? [checkReplicas(info, durability.replicas)] : []),
  ];
}

/** @throws HoldfastError `STORE_UNFIT` that names every flaw, its risk and its remedy */
export async function requireFitRedis(client: RedisConnection, expectations: Expectations): Promise<void> {
  const flaws = (await checkRedis(client, expectations)).filter(({ holds }) => !holds);
  if (flaws.length === 0) return;
  throw new HoldfastError("STORE_UNFIT", flaws.map((flaw) => describeFlaw(flaw, expectations)).join("\n"));
}

/** The flaw as one line for an operator. */
function describeFlaw(flaw: RedisCheck, { HOLDFAST_DURABILITY: { level } }: Expectations): string {
  const { setting, expected, found, risk, remedy } = flaw;
  return `${setting}: HOLDFAST_DURABILITY=${level} expects ${expected}, found ${found}; ${risk}. Remedy: ${remedy}.`;
}

interface Setting {
  readonly name: string;
  readonly expected: string;
  readonly risk: string;
}

const eviction: Setting = {
  name: "maxmemory-policy",
  expected: "noeviction",
  risk: "under memory pressure Redis deletes jobs and keys",
};

const persistence: readonly Setting[] = [
  { name: "appendonly", expected: "yes", risk: "a restart of Redis loses acknowledged jobs" },
  {
    name: "appendfsync",
    expected: "always",
    risk: "a crash loses up to the last second of acknowledged jobs",
  },
  {
    name: "no-appendfsync-on-rewrite",
    expected: "no",
    risk: "a crash while the log is rewritten loses acknowledged jobs",
  },
];

async function checkSetting(
  client: RedisConnection,
  { name, expected, risk }: Setting,
  stated: string | undefined,
): Promise<RedisCheck> {
  const found = await readSetting(client, name);
  const known = found ?? stated;
  return {
    setting: name,
    expected,
    found: known ?? "(Redis does not say)",
    holds: known === expected,
    ...(found === undefined && stated !== undefined && { isStated: true }),
    risk,
    remedy:
      found === undefined
        ? `allow the user CONFIG GET, or see that the provider gives ${name} ${expected} and state it: HOLDFAST_STORE_TRUST=${name}=${expected}`
        : `CONFIG SET ${name} ${expected}`,
  };
}

async function readSetting(client: RedisConnection, name: string): Promise<string | undefined> {
  try {
    const reply = (await client.config("GET", name)) as string[];
    return reply[1];
  } catch (error) {
    // Hosted Redis forbids CONFIG; that is a finding, not a fault.
    if (error instanceof Error && /^(NOPERM|ERR)/.test(error.message)) return undefined;
    throw error;
  }
}

/** The reply to INFO, by field. */
export type Info = ReadonlyMap<string, string>;

export async function readInfo(client: RedisConnection): Promise<Info> {
  const text = await client.info();
  const fields = text.split("\r\n").map((line) => line.split(":", 2));
  return new Map(fields.map(([name = "", value = ""]) => [name, value]));
}

function checkVersion(info: Info): RedisCheck {
  const version = info.get("redis_version") ?? "0";
  return {
    setting: "version",
    expected: `${OLDEST_VERSION}.0 or newer`,
    found: version,
    holds: Number.parseInt(version, 10) >= OLDEST_VERSION,
    risk: "older versions lack commands that the guarantees rest on",
    remedy: "upgrade Redis",
  };
}

/** A replica reports each second. One that hangs stays "online" for a minute. */
const SILENT_AFTER_S = 3;

/** How many replicas are online and not silent. */
export function onlineReplicas(info: Info): number {
  return [...info].filter(([name, value]) => /^slave\d+$/.test(name) && isOnline(value)).length;
}

function isOnline(replica: string): boolean {
  const [, lag = "0"] = /lag=(\d+)/.exec(replica) ?? [];
  return replica.includes("state=online") && Number(lag) <= SILENT_AFTER_S;
}

function checkRole(info: Info): RedisCheck {
  const role = info.get("role") ?? "master";
  return {
    setting: "role",
    expected: "master",
    found: role === "slave" ? "a read-only replica" : role,
    holds: role === "master",
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
    risk: "no job can be acknowledged as replicated",
    remedy: "connect the missing replicas",
  };
}
