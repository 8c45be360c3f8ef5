import { Cluster } from "ioredis";
import { withOpenSlotGuard } from "../../../platform/redis/cluster/open-slot.ts";
import type { RedisConnection } from "../../../platform/redis/connection.ts";
import { placeFunctions } from "../../../platform/redis/lua/place-functions.ts";
import { readLua } from "../../../platform/redis/read-lua.ts";
import {
  declareScript,
  either,
  integer,
  list,
  listOf,
  type Shape,
  text,
  tuple,
} from "../../../platform/redis/reply-shape.ts";

/** BullMQ's scripts that claim a job, alone or as they store how another ended. Each gets Redis's time as ARGV[2]. */
const claiming: ReadonlySet<string> = new Set(["moveToActive", "moveToFinished", "moveToDelayed"]);

/** Their own text, and the text that also does what jobs ask for: see claim.lua. */
const replaced = [
  [
    'local queueAttributes = rcall("HMGET", queueMetaKey, "paused", "concurrency", "max", "duration")',
    'local queueAttributes = rcall("HMGET", queueMetaKey, "paused", "concurrency", "max", "duration", "asking", "curbing", "ramp") isCurbed = queueAttributes[6] isAsking = queueAttributes[5] or isCurbed or queueAttributes[7] if queueAttributes[7] then queueAttributes[2] = asking().rampedTo(queueMetaKey, queueAttributes[7], queueAttributes[2]) end',
  ],
  ['rcall("RPOPLPUSH", ', '(isAsking and asking().takeWaiting or rcall)("RPOPLPUSH", '],
  ['rcall("ZPOPMIN", ', '(isAsking and asking().takePrioritized or rcall)("ZPOPMIN", '],
  // What it counts is forgotten where no prioritized job is left.
  ['rcall("DEL", priorityCounterKey)', 'if not mayBeMore then rcall("DEL", priorityCounterKey) end'],
  [
    "local nextTimestamp = getNextDelayedTimestamp(delayedKey)",
    "local nextTimestamp = getNextDelayedTimestamp(delayedKey) if isAsking then nextTimestamp = asking().nextDueAt(nextTimestamp, delayedKey) end",
  ],
] as const;

const point = readLua(import.meta.url, "claim.lua");

/**
 * Adds to one of BullMQ's scripts what must happen before a worker gets a job.
 *
 * @throws Error for a script that claims in another way: another version of BullMQ
 */
export function withClaimPoint(name: string, lua: string): string {
  if (!claiming.has(name)) return lua;
  let claims = lua;
  for (const [from, to] of replaced) {
    if (!claims.includes(from)) throw new Error(`BullMQ's ${name} has no ${from}`);
    claims = claims.replaceAll(from, to);
  }
  return point + claims;
}

/**
 * BullMQ's scripts that use a worker's `Date.now()`, which they get as ARGV[2]: to trim kept jobs by age, to make delayed ones
 * ready, and to store when a job was claimed and finished.
 */
const timed = ["moveToActive", "moveToFinished", "moveToDelayed", "retryJob"];

const REDIS_TIME =
  'do local t = redis.call("TIME") ARGV[2] = t[1] .. string.sub("00000" .. t[2], -6, -4) end\n';

const claimed = tuple(either(integer, list), either(integer, text), integer, integer);

/** What BullMQ reads of its own scripts' replies. A negative number is why nothing was done. */
const replies: Readonly<Record<string, Shape<unknown>>> = {
  moveToActive: claimed,
  moveToFinished: either(integer, claimed),
  moveToDelayed: either(integer, claimed),
  moveJobFromActiveToWait: integer,
  retryJob: integer,
  moveStalledJobsToWait: listOf(text),
  extendLock: integer,
  extendLocks: listOf(text),
  updateProgress: integer,
  updateData: integer,
  addLog: integer,
};

/** All workers of a process share its connection. */
const onTime = new WeakSet<RedisConnection>();

/**
 * Makes BullMQ's scripts on this connection use Redis's clock, so that a wrong clock deletes no kept job and runs no delayed one early;
 * and lets features hold back the jobs that they claim.
 */
export function onRedisTime(client: RedisConnection): RedisConnection {
  if (onTime.has(client)) return client;
  onTime.add(client);
  const define = client.defineCommand.bind(client);
  client.defineCommand = (name, definition) => {
    // BullMQ defines them as `moveToActive:6.7.0`.
    const [script = ""] = name.split(":");
    const isTimed = timed.includes(script);
    const lua = isTimed
      ? placeFunctions(REDIS_TIME + withClaimPoint(script, definition.lua))
      : definition.lua;
    const shape = replies[script];
    if (shape !== undefined) declareScript(lua, shape);
    define(name, { ...definition, lua });
  };
  return client;
}

/** All workers of a process share its connection. */
const guarded = new WeakSet<RedisConnection>();

/** Makes a cluster refuse BullMQ's scripts on this connection while their slot is moving: they touch keys that they are not given. */
export function guardScripts(client: RedisConnection): RedisConnection {
  if (!(client instanceof Cluster) || guarded.has(client)) return client;
  guarded.add(client);
  const define = client.defineCommand.bind(client);
  client.defineCommand = (name, definition) => {
    const count = definition.numberOfKeys ?? 0;
    const inner = `${name}:guarded`;
    define(inner, { ...definition, numberOfKeys: count + 1 });
    const run: (args: readonly string[]) => unknown = Reflect.get(client, inner);
    // BullMQ calls its scripts with one list: the keys, then the other arguments.
    const runGuarded = (args: readonly string[]) =>
      run.call(client, [...withOpenSlotGuard(client, args.slice(0, count)), ...args.slice(count)]);
    Reflect.set(client, name, runGuarded);
  };
  return client;
}
