import { readLua } from "../../../platform/redis/read-lua.ts";

/** BullMQ's scripts that claim a job, alone or as they store how another ended. Each gets Redis's time as ARGV[2]. */
const claiming: ReadonlySet<string> = new Set(["moveToActive", "moveToFinished", "moveToDelayed"]);

/** What they do themselves, and the functions of claim.lua that do more. */
const replaced = [
  ['rcall("RPOPLPUSH", ', "takeWaiting("],
  ['rcall("ZPOPMIN", ', "takePrioritized("],
  ['rcall("DEL", priorityCounterKey)', "forgetTurns(priorityCounterKey)"],
  ["= getNextDelayedTimestamp(delayedKey)", "= nextDueAt(getNextDelayedTimestamp(delayedKey), delayedKey)"],
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
