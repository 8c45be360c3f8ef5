import type { RedisConnection } from "../../../platform/redis/connection.ts";
import { loadDeclaringScript } from "../../../platform/redis/script.ts";

const script = loadDeclaringScript(import.meta.url, "renew-lock.lua");

/**
 * @param key the lock's
 * @param ms how long the lock lasts from now, in milliseconds
 * @returns whether the lock was this token's
 */
export async function renewLock(
  client: RedisConnection,
  key: string,
  token: string,
  ms: number,
): Promise<boolean> {
  return (await script.run(client, [key], [token, ms])) === 1;
}
