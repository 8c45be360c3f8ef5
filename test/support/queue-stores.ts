import { openQueueStores, type QueueStores } from "../../src/queue/queue-store.ts";
import { createCodec } from "../../src/redis/codec.ts";
import type { RedisConnection } from "../../src/redis/connection.ts";

/** The queues behind a connection, without encryption. */
export function plainStores(client: RedisConnection, prefix: string): QueueStores {
  return openQueueStores({ client, codec: createCodec([]) }, prefix);
}
