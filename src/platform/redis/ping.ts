import { type RedisConnection, serversOf } from "./connection.ts";
import { redisUnavailable } from "./redis-errors.ts";

/**
 * How long the slowest server takes to answer, in milliseconds.
 *
 * @throws HoldfastError `STORE_UNAVAILABLE` when there is none, and errors of Redis
 */
export async function measurePing(client: RedisConnection): Promise<number> {
  const servers = serversOf(client);
  if (servers.length === 0) throw redisUnavailable();
  const askedAt = performance.now();
  await Promise.all(servers.map((server) => server.ping()));
  return performance.now() - askedAt;
}
