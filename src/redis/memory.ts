import type { Info } from "./requirements.ts";

/** The store's memory, in bytes. */
export interface RedisMemory {
  readonly used: number;
  /** At most; undefined where no `maxmemory` is set. */
  readonly limit: number | undefined;
  /** From here on no new jobs are taken; undefined where no `maxmemory` is set. */
  readonly admitsUntil: number | undefined;
}

const MEBIBYTE = 1_048_576;
/** What a worker's running jobs can need at once: their results, what their effects returned, and the events of it all. */
const HEADROOM_MIN = 8 * MEBIBYTE;

/** Reads what `INFO` tells of memory. */
export function memoryOf(info: Info): RedisMemory {
  // What the store itself leaves out when it compares with its limit: buffers for replicas and the log.
  const used = numberIn(info, "used_memory") - numberIn(info, "mem_not_counted_for_evict");
  const limit = numberIn(info, "maxmemory") || undefined;
  return { used, limit, admitsUntil: limit && limit - headroom(limit) };
}

/** What new jobs must leave to the running ones: a tenth, at least 8 MiB, at most a quarter. As in src/queue/has-room.lua. */
function headroom(limit: number): number {
  return Math.min(Math.max(limit / 10, HEADROOM_MIN), limit / 4);
}

function numberIn(info: Info, field: string): number {
  return Number(info.get(field) ?? 0);
}
