import type { RedisConnection } from "../../../platform/redis/connection.ts";

/**
 * BullMQ's scripts that use a worker's `Date.now()`, which they get as ARGV[2]: to trim kept jobs by age, to make delayed ones
 * ready, and to store when a job was claimed and finished.
 */
const timed = ["moveToActive", "moveToFinished", "moveToDelayed", "retryJob"];

const REDIS_TIME =
  'do local t = redis.call("TIME") ARGV[2] = t[1] .. string.sub("00000" .. t[2], -6, -4) end\n';

/** All workers of a process share its connection. */
const onTime = new WeakSet<RedisConnection>();

/** Makes BullMQ's scripts on this connection use Redis's clock: a wrong clock deletes no kept job and runs no delayed one early. */
export function onRedisTime(client: RedisConnection): RedisConnection {
  if (onTime.has(client)) return client;
  onTime.add(client);
  const define = client.defineCommand.bind(client);
  client.defineCommand = (name, definition) => {
    // BullMQ defines them as `moveToActive:6.7.0`.
    const [script = ""] = name.split(":");
    define(name, timed.includes(script) ? { ...definition, lua: REDIS_TIME + definition.lua } : definition);
  };
  return client;
}
