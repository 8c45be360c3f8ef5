import type { Redis } from "ioredis";
import type { StatedSettings } from "../../config/stated-settings.ts";
import { type RedisCheck, UNSAID } from "./redis-check.ts";

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
  const found = await readSettings(
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

/** Reads settings by name. Those that Redis does not say are absent. */
export async function readSettings(server: Redis, names: readonly string[]): Promise<Map<string, string>> {
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
