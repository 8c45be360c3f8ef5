import { hostname } from "node:os";
import { oneAtATime } from "../../platform/lib/one-at-a-time.ts";
import { type Running, stopOnce } from "../../platform/lib/running.ts";
import type { RedisConnection } from "../../platform/redis/connection.ts";

/** Running schedulers, by when each was seen. */
export function schedulersKey(prefix: string): string {
  return `${prefix}:schedulers`;
}

const HEARTBEAT_MS = 5_000;
/** Three heartbeats missed: it is gone, or cannot reach Redis. */
const SILENT_AFTER_MS = 3 * HEARTBEAT_MS;

interface Redis {
  readonly client: RedisConnection;
  /** Milliseconds since 1970, by Redis's clock. */
  now(): number;
}

/** Sends heartbeats until stopped. No guarantee rests on them: they only say whether ticks have somebody who submits them. */
export function startSchedulerHeartbeat({ client, now }: Redis, prefix: string): Running {
  const key = schedulersKey(prefix);
  const name = `${hostname()}:${process.pid}`;
  const beat = oneAtATime(async () => {
    const at = Math.floor(now());
    await client.zremrangebyscore(key, "-inf", at - SILENT_AFTER_MS);
    await client.zadd(key, at, name);
  });
  // The connection's owner reports errors; the next heartbeat comes soon.
  const tryToBeat = () => void beat().catch(() => {});
  const timer = setInterval(tryToBeat, HEARTBEAT_MS);
  tryToBeat();
  return {
    stop: stopOnce(async () => {
      clearInterval(timer);
      if (client.status === "ready") await client.zrem(key, name).catch(() => {});
    }),
  };
}

/** How many schedulers have a recent heartbeat. @param now Redis's clock, in milliseconds since 1970 */
export async function countSchedulers(client: RedisConnection, prefix: string, now: number): Promise<number> {
  return await client.zcount(schedulersKey(prefix), now - SILENT_AFTER_MS, "+inf");
}
