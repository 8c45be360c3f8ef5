import type { Durability } from "../config/variables.ts";
import type { HoldfastError } from "../errors/holdfast-error.ts";
import { type Running, stopOnce } from "../lib/running.ts";
import { duplicate, isReadOnly, patienceOf, type RedisConnection, whenReady } from "./connection.ts";
import { redisUnavailable } from "./redis-errors.ts";
import type { Script } from "./script.ts";

/** What a script that changes something has answered. */
export interface Written {
  readonly reply: unknown;
  /** Whether what it wrote is as durable as configured. */
  readonly isConfirmed: boolean;
}

/** How one queue's promises are written: the step, and the confirmation that it is on the replicas. */
export type Writer = (
  script: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
) => Promise<Written>;

/** Gives each queue a writer of its own. */
export interface Writers extends Running {
  of(): Writer;
}

const REPLICATION_DEADLINE_MS = 1_000;
const START_PATIENCE_MS = 5_000;
/** A slot that moves more often than this within one write moves in circles. */
const MOVES_MAX = 4;

/**
 * Where nothing is promised about replicas, a write is confirmed when it is answered.
 *
 * @throws HoldfastError `STORE_UNAVAILABLE` when the store cannot be reached within 5 s
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
 * `WAIT` speaks of the writes of its own connection, and of those alone: it travels right behind its write. What it holds
 * up is its connection, so writes that wait for replicas have one of their own: locks are renewed on the other, and reads
 * answered, while a replica is away. The client sends nothing again by itself: on a new connection `WAIT` would find nothing
 * to wait for. Where nobody waits both are sent again, together.
 */
async function replicatedWriters(client: RedisConnection, replicas: number): Promise<Writers> {
  const own = duplicate(client, { autoResendUnfulfilledCommands: false, reconnectOnError: isReadOnly });
  // It is the other connection's owner who hears that the store is away.
  own.on("error", () => {});
  const isRetrying = patienceOf(client) === "retrying";
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
  await whenReady(own, START_PATIENCE_MS).catch((error: unknown) => {
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

/** A cluster's client learns of slots that moved from single commands only. */
async function learnSlot(client: RedisConnection, [key = ""]: readonly string[]): Promise<void> {
  await client.exists(key);
}

/** No answer of the store's, or that of one that is a replica now. */
function isLost(reply: unknown): boolean {
  return reply instanceof Error && (reply.name !== "ReplyError" || isReadOnly(reply));
}

/**
 * While replicas are away each write takes all of its deadline, and one sent behind it is not even run. What has waited
 * for longer than somebody waits for it is given up unsent, or they would pile up for as long as the replicas are away.
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

/** The store has the write, or may have it; too few replicas said so in time. */
export function replicasMissing(): HoldfastError {
  return redisUnavailable(undefined, "The replicas did not confirm in time");
}
