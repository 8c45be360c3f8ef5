import type { Redis } from "ioredis";

/** Some of the copies: where they are, and why they failed. */
export interface Lot {
  /** How many of each round of copies. */
  readonly share: number;
  readonly state: "wait" | "delayed" | "completed" | "failed";
  /** Of failed ones, such as `HANDLER_FAILED: it broke`. @default as the job that is copied */
  readonly reason?: string;
}

export interface Copies {
  readonly count: number;
  readonly lots: readonly Lot[];
  /** Those that ended did so one after another in so many milliseconds until now. @default one a millisecond */
  readonly spanMs?: number;
}

const script = `
  local start, id, from, to, last, step = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
  local lots, round = cjson.decode(ARGV[7]), 0
  for _, lot in ipairs(lots) do round = round + lot.share end

  local function lotOf(number)
    local place = (number - 1) % round
    for _, lot in ipairs(lots) do
      if place < lot.share then return lot end
      place = place - lot.share
    end
  end

  for number = from, to do
    local copy = string.sub(id, 1, -9) .. string.format("%08x", number)
    local job, lot = start .. copy, lotOf(number)
    redis.call("COPY", start .. id, job)
    local ended = math.floor(last - (tonumber(ARGV[8]) - number) * step)
    if lot.state == "wait" then
      redis.call("LPUSH", start .. "wait", copy)
    elseif lot.state == "delayed" then
      local delay = 86400000 + number * 1000
      redis.call("HSET", job, "delay", delay)
      redis.call("ZADD", start .. "delayed", (last + delay) * 4096, copy)
    else
      redis.call("HSET", job, "processedOn", ended - 5, "finishedOn", ended, "ats", 1, "atm", 1)
      if lot.state == "completed" then
        redis.call("HSETNX", job, "returnvalue", "{}")
      elseif lot.reason then
        redis.call("HSET", job, "failedReason", lot.reason)
      end
      redis.call("ZADD", start .. lot.state, ended, copy)
    end
  end`;

const AT_ONCE = 5_000;

/**
 * Makes copies of a job, whichever state it is in.
 *
 * @param start prefix of its queue's keys
 */
export async function addCopies(store: Redis, start: string, id: string, copies: Copies): Promise<void> {
  const { count, lots, spanMs = count } = copies;
  const [now, step] = [Date.now(), spanMs / count];
  for (let from = 1; from <= count; from += AT_ONCE) {
    const to = Math.min(from + AT_ONCE - 1, count);
    await store.eval(script, 0, start, id, from, to, now, step, JSON.stringify(lots), count);
  }
}

export interface FailedCopies {
  readonly count: number;
  /** One in `every` failed for this reason, the oldest first; the others with `HANDLER_FAILED`. */
  readonly every: number;
  readonly reason: string;
}

/** Makes failed copies of a submitted job. */
export async function addFailedCopies(
  store: Redis,
  start: string,
  id: string,
  { count, every, reason }: FailedCopies,
): Promise<void> {
  const lots: Lot[] = [
    { share: 1, state: "failed", reason },
    { share: every - 1, state: "failed", reason: "HANDLER_FAILED: it broke" },
  ];
  await addCopies(store, start, id, { count, lots });
}
