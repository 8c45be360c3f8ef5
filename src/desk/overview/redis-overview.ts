import { durabilityText } from "../../platform/config/variables.ts";
import { type RedisConnection, serversOf } from "../../platform/redis/connection.ts";
import { checkRedis } from "../../platform/redis/fitness/fitness.ts";
import { readInfo, versionOf } from "../../platform/redis/fitness/info.ts";
import type { RedisCheck } from "../../platform/redis/fitness/redis-check.ts";
import type { Expectations } from "../../platform/redis/fitness/redis-checks.ts";
import { fullest, measurePing, readMemory } from "../../platform/redis/redis-load.ts";
import type { RedisOverview } from "./overview.ts";

const CHECK_EVERY_MS = 10_000;

const names: Readonly<Record<string, string>> = {
  version: "Redis is new enough",
  role: "Redis accepts writes",
  cluster: "Every key can be reached",
  "maxmemory-policy": "Nothing is evicted",
  appendonly: "Jobs survive a restart of Redis",
  appendfsync: "Acknowledged means on disk",
  "no-appendfsync-on-rewrite": "Also while the log is rewritten",
  "append-only log": "The log on disk is complete",
  promotion: "No other disk takes over",
  "min-replicas-to-write": "A master that lost its replicas stops",
  "min-replicas-max-lag": "It stops soon",
  replicas: "Acknowledged means on replicas",
};

/** @returns a reader of Redis's state. It rereads the settings every 10 s at most. */
export function openRedisReader(
  client: RedisConnection,
  expectations: Expectations,
): () => Promise<RedisOverview> {
  const { HOLDFAST_DURABILITY: durability } = expectations;
  let checks: readonly RedisCheck[] = [];
  let checkedAt = Number.NEGATIVE_INFINITY;
  return async () => {
    const pingMs = await measurePing(client);
    if (performance.now() - checkedAt > CHECK_EVERY_MS) {
      checks = await checkRedis(client, expectations);
      checkedAt = performance.now();
    }
    const servers = serversOf(client);
    const [info] = await Promise.all(servers.slice(0, 1).map(readInfo));
    const { used, limit } = fullest(await Promise.all(servers.map(readMemory)));
    return {
      version: info === undefined ? "" : versionOf(info),
      usedBytes: used,
      maxBytes: limit ?? null,
      pingMs: Math.round(pingMs * 100) / 100,
      durability: durabilityText(durability),
      guarantees: checks.map(guaranteeOf),
    };
  };
}

function guaranteeOf({ setting, expected, found, holds, risk, remedy }: RedisCheck) {
  const detail = holds
    ? `${setting} is ${found}`
    : `${setting}: expected ${expected}, found ${found}; ${risk}. Remedy: ${remedy}.`;
  return { name: names[setting] ?? setting, holds, detail };
}
