import { Redis } from "ioredis";
import { startRedisServer } from "../../../test/support/redis-server.ts";
import type { Database } from "./wire.ts";

/** A real Redis, apart from that of the jobs. */
export async function startRedis(): Promise<Database> {
  const server = await startRedisServer();
  const redis = new Redis(server.url);
  await redis.set("row-text", "coffee");
  return {
    port: server.port,
    count: (name) => redis.llen(name),
    async stop() {
      redis.disconnect();
      await server.stop();
    },
  };
}
