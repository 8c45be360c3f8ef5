import { Redis } from "ioredis";
import { connection } from "../inside/evidence.ts";
import type { Calls, Target } from "./call.ts";
import { Kept } from "./kept.ts";

const kept = new Kept<Redis>();

function open({ host, port, timeoutMs }: Target, isDocumented: boolean): Redis {
  return new Redis({ host, port, commandTimeout: timeoutMs, ...(isDocumented && once) }).on(
    "error",
    () => {},
  );
}

async function send(target: Target, isDocumented: boolean): Promise<unknown> {
  const redis = kept.of(target.port, () => open(target, isDocumented));
  try {
    // Redis refuses to add to a text that is no number.
    if (target.ask === "refused") return await redis.incrby("row-text", 1);
    return await redis.rpush(`row-${target.port}`, "coffee");
  } finally {
    redis.disconnect();
  }
}

/** By itself it sends again what was not answered when a connection broke. */
const once = { autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 };

export const calls: Calls = {
  asIs: (target) => send(target, false),
  asDocumented: (target) => send(target, true),
  classify: connection,
  warmUp: (target, isDocumented) => kept.keep(target.port, open(target, isDocumented)).ping(),
};
