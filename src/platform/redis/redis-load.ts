import type { Redis } from "ioredis";
import { type RedisConnection, serversOf } from "./connection.ts";
import { redisUnavailable } from "./redis-errors.ts";
import { integer, tuple } from "./reply-shape.ts";
import { loadScript } from "./script.ts";

/** Redis's memory, in bytes. */
export interface RedisMemory {
  readonly used: number;
  /** Undefined where no `maxmemory` is set. */
  readonly limit: number | undefined;
  /** New jobs are accepted up to here. Undefined where no `maxmemory` is set. */
  readonly acceptsUntil: number | undefined;
}

const script = loadScript(import.meta.url, "read-memory.lua", tuple(integer, integer, integer));

/** Reads one server's memory: in a cluster each master has its own. */
export async function readMemory(server: Redis): Promise<RedisMemory> {
  const [used, limit, acceptsUntil] = await script.run(server, [], []);
  return limit === 0 ? { used, limit: undefined, acceptsUntil: undefined } : { used, limit, acceptsUntil };
}

/** The memory of the server that refuses new jobs first. */
export function fullest(all: readonly RedisMemory[]): RedisMemory {
  const [first] = all.toSorted((a, b) => shareUsed(b) - shareUsed(a) || b.used - a.used);
  if (first === undefined) throw redisUnavailable();
  return first;
}

function shareUsed({ used, acceptsUntil }: RedisMemory): number {
  return acceptsUntil === undefined ? 0 : used / acceptsUntil;
}

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

const MEBIBYTE = 1_048_576;

export function mebibytes(bytes: number): string {
  return `${Math.round(bytes / MEBIBYTE).toLocaleString("en")} MiB`;
}
