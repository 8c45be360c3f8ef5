import type { Redis } from "ioredis";

const script = `
  for number = tonumber(ARGV[3]), tonumber(ARGV[4]) do
    local id = string.sub(ARGV[2], 1, -9) .. string.format("%08x", number)
    local isRare = (number - 1) % tonumber(ARGV[6]) == 0
    redis.call("COPY", ARGV[1] .. ARGV[2], ARGV[1] .. id)
    redis.call("HSET", ARGV[1] .. id, "processedOn", ARGV[5] + number - 5, "finishedOn", ARGV[5] + number, "ats", 1, "atm", 1,
      "failedReason", isRare and ARGV[7] or "HANDLER_FAILED: it broke")
    redis.call("ZADD", ARGV[1] .. "failed", ARGV[5] + number, id)
  end`;

const AT_ONCE = 5_000;

export interface Copies {
  readonly count: number;
  /** One in `each` failed for this reason, the oldest first; the others with `HANDLER_FAILED`. */
  readonly every: number;
  readonly reason: string;
}

/**
 * Makes failed copies of a submitted job.
 *
 * @param start prefix of its queue's keys
 */
export async function addFailedCopies(
  store: Redis,
  start: string,
  id: string,
  { count, every, reason }: Copies,
): Promise<void> {
  const since = Date.now() - count;
  for (let from = 1; from <= count; from += AT_ONCE) {
    const to = Math.min(from + AT_ONCE - 1, count);
    await store.eval(script, 0, start, id, from, to, since, every, reason);
  }
}
