import type { RedisConnection } from "./connection.ts";
import { memoryLua } from "./includes.ts";
import { loadScript } from "./script.ts";

/** Redis's memory, in bytes. */
export interface RedisMemory {
  readonly used: number;
  /** Undefined where no `maxmemory` is set. */
  readonly limit: number | undefined;
  /** New jobs are accepted up to here. Undefined where no `maxmemory` is set. */
  readonly acceptsUntil: number | undefined;
}

const script = loadScript(import.meta.url, "read-memory.lua", memoryLua);

export async function readMemory(client: RedisConnection): Promise<RedisMemory> {
  const [used = 0, limit = 0, acceptsUntil] = (await script.run(client, [], [])) as number[];
  return limit === 0 ? { used, limit: undefined, acceptsUntil: undefined } : { used, limit, acceptsUntil };
}
