import type { RedisConnection } from "../redis/connection.ts";

/**
 * BullMQ's scripts of a worker that judge or write down a time. Each is handed its caller's `Date.now()` as ARGV[2]: with it
 * they trim kept jobs by age, make delayed ones ready, and note when a job was claimed and finished.
 */
const timed = ["moveToActive", "moveToFinished", "moveToDelayed", "retryJob"];

const REDIS_TIME =
  'do local t = redis.call("TIME") ARGV[2] = string.format("%.0f", t[1] * 1000 + math.floor(t[2] / 1000)) end\n';

/**
 * Has BullMQ's scripts on this connection go by Redis's clock, whatever their caller's shows: then no clock that is wrong,
 * or that jumps between two looks at it, deletes a kept job or runs a delayed one early.
 */
export function onRedisTime(client: RedisConnection): RedisConnection {
  const define = client.defineCommand.bind(client);
  client.defineCommand = (name, definition) => {
    // BullMQ defines them as `moveToActive:6.7.0`.
    const [script = ""] = name.split(":");
    define(name, timed.includes(script) ? { ...definition, lua: REDIS_TIME + definition.lua } : definition);
  };
  return client;
}
