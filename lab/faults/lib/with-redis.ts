import { Redis } from "ioredis";
import type { RedisServer } from "../../../test/support/redis-server.ts";

/** A direct connection to Redis that fails soon when Redis is down. */
export async function withRedis<T>(
  { url }: Pick<RedisServer, "url">,
  use: (redis: Redis) => Promise<T>,
): Promise<T> {
  const redis = new Redis(url, { maxRetriesPerRequest: 1 });
  // The pending call reports the error.
  redis.on("error", () => {});
  try {
    return await use(redis);
  } finally {
    redis.disconnect();
  }
}
