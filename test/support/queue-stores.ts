import { openQueueStores, type QueueStores } from "../../src/core/bullmq/store/queue-store.ts";
import type { RedisConnection } from "../../src/platform/redis/connection.ts";
import { createCodec } from "../../src/platform/redis/encryption/codec.ts";

/** The queues behind a connection, without encryption. */
export function plainStores(client: RedisConnection, prefix: string): QueueStores {
  return openQueueStores({ client, codec: createCodec([]) }, prefix);
}
