import { jobAssociatedData } from "../redis/associated-data.ts";
import type { Codec } from "../redis/codec.ts";
import type { RedisAccess } from "../redis/connect.ts";
import type { RedisConnection } from "../redis/connection.ts";
import type { Epoch } from "../redis/epoch.ts";
import { type QueueKeys, queueKeys } from "./queue-keys.ts";

type JobPart = Parameters<typeof jobAssociatedData>[1];

/** One queue in Redis: its keys, its connection and its encryption. Every room reaches a queue through this. */
export interface QueueStore {
  readonly queue: string;
  readonly prefix: string;
  readonly client: RedisConnection;
  readonly keys: QueueKeys;
  /** For the ledger, whose texts belong to effects. Texts of jobs have the methods below. */
  readonly codec: Codec;
  encryptText(jobId: string, part: JobPart, text: string): string;
  /** @throws HoldfastError `DECRYPTION_FAILED` */
  decryptText(jobId: string, part: JobPart, text: string): string;
  /** Any JSON value; encrypted, it is a text. */
  encryptValue(jobId: string, part: JobPart, value: unknown): unknown;
  /** @throws HoldfastError `DECRYPTION_FAILED` */
  decryptValue(jobId: string, part: JobPart, value: unknown): unknown;
}

/** A queue that this process adds jobs to, or begins effects in. */
export interface WritableQueueStore extends QueueStore {
  readonly epoch: Epoch;
}

/** The queues of one Redis, for one process. */
export interface QueueStores<Store extends QueueStore = QueueStore> {
  readonly client: RedisConnection;
  of(queue: string): Store;
}

interface EpochOf {
  of(queue: string): Epoch;
}

export function openQueueStores(access: RedisAccess, prefix: string): QueueStores;
export function openQueueStores(
  access: RedisAccess,
  prefix: string,
  epochs: EpochOf,
): QueueStores<WritableQueueStore>;
export function openQueueStores(access: RedisAccess, prefix: string, epochs?: EpochOf): QueueStores {
  const stores = new Map<string, QueueStore>();
  return {
    client: access.client,
    of(queue) {
      const known = stores.get(queue);
      if (known !== undefined) return known;
      const store = openQueueStore(access, prefix, queue);
      const opened = epochs === undefined ? store : { ...store, epoch: epochs.of(queue) };
      stores.set(queue, opened);
      return opened;
    },
  };
}

function openQueueStore({ client, codec }: RedisAccess, prefix: string, queue: string): QueueStore {
  return {
    queue,
    prefix,
    client,
    keys: queueKeys(prefix, queue),
    codec,
    encryptText: (jobId, part, text) => codec.encrypt(text, jobAssociatedData(jobId, part)),
    decryptText: (jobId, part, text) => codec.decrypt(text, jobAssociatedData(jobId, part)),
    encryptValue: (jobId, part, value) => codec.encryptValue(value, jobAssociatedData(jobId, part)),
    decryptValue: (jobId, part, value) => codec.decryptValue(value, jobAssociatedData(jobId, part)),
  };
}
