import type { Durability } from "../../config/variables.ts";
import { type Running, stopOnce } from "../../lib/running.ts";
import { duplicate, isReadOnly, modeOf, type RedisConnection, whenReady } from "../connection.ts";
import { createGroupWriter } from "../group-writer.ts";
import { START_DEADLINE_MS } from "../redis-errors.ts";
import type { Writer } from "../writer.ts";

export interface Writers extends Running {
  readonly write: Writer;
}

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
    unconfirmed: undefined,
  });
  return { write, stop: async () => {} };
}

/**
 * `WAIT` covers only the writes of its own connection, and blocks it. So these writes have their own: on the other one, locks are
 * still renewed and reads answered while a replica is away. The client resends nothing by itself, because on a new connection
 * `WAIT` has nothing to wait for. It must then reject what was lost, which ioredis only does with a bound of retries.
 */
async function replicatedWriters(client: RedisConnection, replicas: number): Promise<Writers> {
  const own = duplicate(client, {
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    reconnectOnError: isReadOnly,
  });
  // The other connection's owner reports that Redis is away.
  own.on("error", () => {});
  await whenReady(own, START_DEADLINE_MS).catch((error: unknown) => {
    own.disconnect();
    throw error;
  });
  return {
    write: createGroupWriter({ client: own, replicas, isRetrying: modeOf(client) === "retrying" }),
    stop: stopOnce(async () => own.disconnect()),
  };
}
