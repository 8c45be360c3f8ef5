import type { RedisConnection } from "../redis/connection.ts";
import { checkRedis, type Expectations, type RedisCheck, readInfo } from "../redis/requirements.ts";
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
    const askedAt = performance.now();
    await client.ping();
    const pingMs = Math.round((performance.now() - askedAt) * 100) / 100;
    if (askedAt - checkedAt > CHECK_EVERY_MS) {
      checks = await checkRedis(client, expectations);
      checkedAt = askedAt;
    }
    const info = await readInfo(client);
    const maxBytes = Number(info.get("maxmemory") ?? 0);
    return {
      version: info.get("redis_version") ?? "",
      usedBytes: Number(info.get("used_memory") ?? 0),
      maxBytes: maxBytes === 0 ? null : maxBytes,
      pingMs,
      durability: durability.level === "replica" ? `replica:${durability.replicas}` : durability.level,
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
