import type { Durability } from "../config/variables.ts";
import { HoldfastError } from "../errors/holdfast-error.ts";
import type { StoreClient } from "./client.ts";

/** One thing about the store that the promises rest on. */
export interface StoreCheck {
  readonly setting: string;
  readonly expected: string;
  readonly found: string;
  readonly holds: boolean;
  /** What can happen if nothing is done. */
  readonly risk: string;
  readonly remedy: string;
}

const OLDEST_VERSION = 7;

/** Checks all that the configured durability rests on. */
export async function checkStore(client: StoreClient, durability: Durability): Promise<StoreCheck[]> {
  const info = await readInfo(client);
  const settings = durability.level === "memory" ? [eviction] : [eviction, ...persistence];
  return [
    checkVersion(info),
    ...(await Promise.all(settings.map((setting) => checkSetting(client, setting)))),
    ...(durability.level === "replica" ? [checkReplicas(info, durability.replicas)] : []),
  ];
}

/** @throws HoldfastError `STORE_UNFIT` that names every flaw, its risk and its remedy */
export async function requireFitStore(client: StoreClient, durability: Durability): Promise<void> {
  const flaws = (await checkStore(client, durability)).filter(({ holds }) => !holds);
  if (flaws.length === 0) return;
  throw new HoldfastError("STORE_UNFIT", flaws.map((flaw) => describeFlaw(flaw, durability)).join("\n"));
}

/** The flaw as one line for an operator. */
function describeFlaw(flaw: StoreCheck, durability: Durability): string {
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

async function checkSetting(client: StoreClient, setting: Setting): Promise<StoreCheck> {
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

async function readSetting(client: StoreClient, name: string): Promise<string | undefined> {
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

export async function readInfo(client: StoreClient): Promise<Info> {
  const text = await client.info();
  const fields = text.split("\r\n").map((line) => line.split(":", 2));
  return new Map(fields.map(([name = "", value = ""]) => [name, value]));
}

function checkVersion(info: Info): StoreCheck {
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

function checkReplicas(info: Info, wanted: number): StoreCheck {
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
