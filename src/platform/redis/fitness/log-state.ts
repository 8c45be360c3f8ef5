import slotOf from "cluster-key-slot";
import { Cluster, type Redis } from "ioredis";
import { addressOf, type RedisConnection } from "../connection.ts";
import type { Info } from "./info.ts";
import type { RedisCheck } from "./redis-check.ts";

const ANSWERED_WITHIN_MS = 500;

/**
 * Checks that the append-only log is complete. After `CONFIG SET appendonly yes` Redis calls it on at once, writes it in the background, and
 * starts without it after a crash until it is written. INFO shows the same for each later rewrite; only `WAITAOF` knows the difference.
 *
 * @param prefix of the keys that this process may write
 */
export async function checkLog(
  client: RedisConnection,
  server: Redis,
  info: Info,
  prefix: string,
): Promise<RedisCheck> {
  const isComplete = isRewriting(info) ? await acknowledgesWrites(client, server, prefix) : true;
  return {
    setting: "append-only log",
    expected: "complete",
    found: isComplete === false ? "still being written for the first time" : foundText(isComplete),
    holds: isComplete !== false,
    risk: "a crash loses everything that is acknowledged until it is complete",
    remedy:
      "wait until it is: INFO persistence then shows aof_rewrite_in_progress:0 and aof_last_bgrewrite_status:ok",
  };
}

function foundText(isComplete: true | undefined): string {
  return isComplete ? "complete" : "being rewritten; this Redis does not say whether for the first time";
}

function isRewriting(info: Info): boolean {
  if (info.get("aof_enabled") !== "1") return false;
  const isFailing = (info.get("aof_last_bgrewrite_status") ?? "ok") !== "ok";
  return (
    info.get("aof_rewrite_in_progress") === "1" || info.get("aof_rewrite_scheduled") === "1" || isFailing
  );
}

/** @returns undefined where Redis is older than 7.2, forbids `WAITAOF` or takes no write */
async function acknowledgesWrites(
  client: RedisConnection,
  server: Redis,
  prefix: string,
): Promise<boolean | undefined> {
  const key = keyOn(client, server, prefix);
  if (key === undefined) return undefined;
  const replies = await server
    .pipeline([
      ["set", key, "1", "PX", "1000"],
      ["call", "WAITAOF", "1", "0", String(ANSWERED_WITHIN_MS)],
    ])
    .exec();
  const [written, waited] = replies ?? [];
  if (written?.[0] !== null || waited?.[0] !== null) return undefined;
  return Number((waited[1] as readonly unknown[])[0]) >= 1;
}

const TRIES_MAX = 100_000;

/** A key in a slot of this server. @returns undefined where it has none */
function keyOn(client: RedisConnection, server: Redis, prefix: string): string | undefined {
  const nameOf = (number: number) => `${prefix}:{log-${number}}:written`;
  if (!(client instanceof Cluster)) return nameOf(0);
  const address = addressOf(server);
  for (let number = 0; number < TRIES_MAX; number += 1)
    if (client.slots[slotOf(nameOf(number))]?.[0] === address) return nameOf(number);
  return undefined;
}
