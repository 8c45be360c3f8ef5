import type { Durability } from "../config/variables.ts";
import type { HoldfastError } from "../errors/holdfast-error.ts";
import { type Running, stopOnce } from "../lib/running.ts";
import { duplicate, isReadOnly, modeOf, type RedisConnection, whenReady } from "./connection.ts";
import { redisUnavailable } from "./redis-errors.ts";
import type { Script } from "./script.ts";

/** The reply of a script that writes. */
export interface Written {
  readonly reply: unknown;
  /** Whether what it wrote is as durable as configured. */
  readonly isConfirmed: boolean;
}

/** Runs a script that writes, and waits for the confirmation that the replicas have it. */
export type Writer = (
  script: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
) => Promise<Written>;

/** Each queue has its own writer. */
export interface Writers extends Running {
  of(): Writer;
}

const REPLICATION_DEADLINE_MS = 1_000;
const START_TIMEOUT_MS = 5_000;
/** A slot does not move more often than this within one write. */
const MOVES_MAX = 4;

/**
 * Without a promise about replicas, a write is confirmed by its reply.
 *
 * @throws HoldfastError `STORE_UNAVAILABLE` when Redis cannot be reached within 5 s
 */
export async function openWriters(
  client: RedisConnection,
  { level, replicas }: Durability,
): Promise<Writers> {
  if (level === "replica") return await replicatedWriters(client, replicas);
  const write: Writer = async (script, keys, args) => ({
    reply: await script.run(client, keys, args),
    isConfirmed: true,
  });
  return { of: () => write, stop: async () => {} };
}

/**
 * `WAIT` covers only the writes of its own connection, so it follows its write there. It blocks that connection: on the other
 * one, locks are still renewed and reads answered while a replica is away. The client resends nothing by itself, because on a
 * new connection `WAIT` has nothing to wait for; a retrying writer resends both together.
 */
async function replicatedWriters(client: RedisConnection, replicas: number): Promise<Writers> {
  const own = duplicate(client, { autoResendUnfulfilledCommands: false, reconnectOnError: isReadOnly });
  // The other connection's owner reports that Redis is away.
  own.on("error", () => {});
  const isRetrying = modeOf(client) === "retrying";
  const wait = ["wait", replicas, REPLICATION_DEADLINE_MS];
  const write: Writer = async (script, keys, args) => {
    for (let tries = 1; ; tries += 1) {
      const [reply, reached] = await script.runBefore(wait, own, keys, args);
      if (isMoved(reply) && tries < MOVES_MAX) await learnSlot(own, keys);
      else if (!(isRetrying && isLost(reply) && own.status !== "end")) {
        if (reply instanceof Error) throw reply;
        return { reply, isConfirmed: typeof reached === "number" && reached >= replicas };
      }
    }
  };
  await whenReady(own, START_TIMEOUT_MS).catch((error: unknown) => {
    own.disconnect();
    throw error;
  });
  return {
    of: () => oneByOne(write, isRetrying ? Number.POSITIVE_INFINITY : REPLICATION_DEADLINE_MS),
    stop: stopOnce(async () => own.disconnect()),
  };
}

function isMoved(reply: unknown): boolean {
  return reply instanceof Error && reply.message.startsWith("MOVED ");
}

/** A cluster's client follows slots that moved only with single commands. */
async function learnSlot(client: RedisConnection, [key = ""]: readonly string[]): Promise<void> {
  await client.exists(key);
}

/** No reply, or one from a master that is a replica now. */
function isLost(reply: unknown): boolean {
  return reply instanceof Error && (reply.name !== "ReplyError" || isReadOnly(reply));
}

/**
 * While replicas are away, each write takes its whole deadline. Writes that have waited longer than anybody waits for them are
 * dropped unsent, or they would pile up.
 */
function oneByOne(write: Writer, waitMs: number): Writer {
  let last: Promise<unknown> = Promise.resolve();
  return (script, keys, args) => {
    const askedAt = performance.now();
    const turn = last.then(() => {
      if (performance.now() - askedAt > waitMs) throw replicasMissing();
      return write(script, keys, args);
    });
    last = turn.catch(() => {});
    return turn;
  };
}

/** Redis has the write, or may have it; too few replicas confirmed it in time. */
export function replicasMissing(): HoldfastError {
  return redisUnavailable(undefined, "The replicas did not confirm in time");
}
