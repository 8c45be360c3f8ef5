import { Cluster, type Redis } from "ioredis";
import type { Durability } from "../config/variables.ts";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { type RedisConnection, serversOf } from "./connection.ts";

/** One thing about the store that the promises rest on. */
export interface RedisCheck {
  readonly setting: string;
  readonly expected: string;
  readonly found: string;
  readonly holds: boolean;
  /** What can happen if nothing is done. */
  readonly risk: string;
  readonly remedy: string;
}

const OLDEST_VERSION = 7;

/** Checks all that the configured durability rests on; of a cluster each node that holds data, telling of the worst. */
export async function checkRedis(client: RedisConnection, durability: Durability): Promise<RedisCheck[]> {
  const [first = [], ...others] = await Promise.all(
    serversOf(client).map((server) => checkServer(server, durability, client instanceof Cluster)),
  );
  return first.map((check, index) =>
    check.holds ? (others.map((checks) => checks[index]).find((other) => !other?.holds) ?? check) : check,
  );
}

async function checkServer(
  client: Redis,
  durability: Durability,
  isClusterExpected: boolean,
): Promise<RedisCheck[]> {
  const info = await readInfo(client);
  const settings = durability.level === "memory" ? [eviction] : [eviction, ...persistence];
  return [
    checkVersion(info),
    checkRole(info),
    checkTopology(info, isClusterExpected),
    ...(await Promise.all(settings.map((setting) => checkSetting(client, setting)))),
    ...(durability.level === "replica" ? [checkReplicas(info, durability.replicas)] : []),
  ];
}

/** @throws HoldfastError `STORE_UNFIT` that names every flaw, its risk and its remedy */
export async function requireFitRedis(client: RedisConnection, durability: Durability): Promise<void> {
  const flaws = (await checkRedis(client, durability)).filter(({ holds }) => !holds);
  if (flaws.length === 0) return;
  throw new HoldfastError("STORE_UNFIT", flaws.map((flaw) => describeFlaw(flaw, durability)).join("\n"));
}

/** The flaw as one line for an operator. */
function describeFlaw(flaw: RedisCheck, durability: Durability): string {
  const { setting, expected, found, risk, remedy } = flaw;
  return `${setting}: HOLDFAST_DURABILITY=${durability.level} expects ${expected}, found ${found}; ${risk}. Remedy: ${remedy}.`;
}

interface Setting {
  readonly name: string;
  readonly expected: string;
  readonly risk: string;
}

const eviction: Setting = {
  name: "maxmemory-policy",
  expected: "noeviction",
  risk: "under memory pressure the store deletes jobs and keys",
};

const persistence: readonly Setting[] = [
  { name: "appendonly", expected: "yes", risk: "a restart of the store loses jobs that were acknowledged" },
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

async function checkSetting(client: RedisConnection, setting: Setting): Promise<RedisCheck> {
  const { name, expected, risk } = setting;
  const found = await readSetting(client, name);
  const remedy =
    found === undefined
      ? `allow the user CONFIG GET, and set ${name} ${expected}`
      : `CONFIG SET ${name} ${expected}`;
  return {
    setting: name,
    expected,
    found: found ?? "(the store does not tell)",
    holds: found === expected,
    risk,
    remedy,
  };
}

async function readSetting(client: RedisConnection, name: string): Promise<string | undefined> {
  try {
    const reply = (await client.config("GET", name)) as string[];
    return reply[1];
  } catch (error) {
    // Hosted stores forbid CONFIG; that is a finding, not a fault.
    if (error instanceof Error && /^(NOPERM|ERR)/.test(error.message)) return undefined;
    throw error;
  }
}

/** What INFO tells, by field. */
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
    risk: "older stores lack commands that the guarantees rest on",
    remedy: "upgrade the store",
  };
}

/** How many replicas follow the store just now. */
export function onlineReplicas(info: Info): number {
  return [...info].filter(([name, value]) => /^slave\d+$/.test(name) && value.includes("state=online"))
    .length;
}

function checkRole(info: Info): RedisCheck {
  const role = info.get("role") ?? "master";
  return {
    setting: "role",
    expected: "master",
    found: role === "slave" ? "a read-only replica" : role,
    holds: role === "master",
    risk: "it takes no writes, so that no job can be accepted, run or ended",
    remedy:
      "let REDIS_URL name the master, or the Sentinel set that knows it; REPLICAOF NO ONE makes this one a master",
  };
}

/** A server alone and a node of a cluster answer differently to one that does not expect them. */
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
