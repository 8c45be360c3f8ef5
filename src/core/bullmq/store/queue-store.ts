import type { RedisAccess } from "../../../platform/redis/connect.ts";
import type { RedisConnection } from "../../../platform/redis/connection.ts";
import type { Codec } from "../../../platform/redis/encryption/codec.ts";
import type { Epoch } from "../../../platform/redis/fitness/epoch.ts";
import type { Fitness } from "../../../platform/redis/fitness/fitness.ts";
import { jobAssociatedData } from "../../job/associated-data.ts";
import { INTERNAL_QUEUE } from "../../job/internal-queue.ts";
import { Layouts, partitionNames } from "./partitions.ts";
import { type QueueKeys, queueKeys } from "./queue-keys.ts";

type JobPart = Parameters<typeof jobAssociatedData>[1];

/** One queue in Redis, or one partition of a queue: its keys, its connection and its encryption. Every room reaches a queue through this. */
export interface QueueStore {
  /** Or one of its partitions. */
  readonly queue: string;
  readonly prefix: string;
  readonly client: RedisConnection;
  readonly keys: QueueKeys;
  /** For the ledger, whose texts belong to effects. Texts of jobs have the methods below. */
  readonly codec: Codec;
  encryptText(jobId: string, part: JobPart, text: string): string;
  /** @throws HoldfastError `DECRYPTION_FAILED` */
  decryptText(jobId: string, part: JobPart, text: string): string;
  /** JSON of any value; encrypted, it is JSON of a text. */
  encryptJson(jobId: string, part: JobPart, json: string): string;
  /** Any JSON value; encrypted, it is a text. */
  encryptValue(jobId: string, part: JobPart, value: unknown): unknown;
  /** @throws HoldfastError `DECRYPTION_FAILED` */
  decryptValue(jobId: string, part: JobPart, value: unknown): unknown;
}

/** A queue that this process adds jobs to, or begins effects in. */
export interface WritableQueueStore extends QueueStore {
  readonly epoch: Epoch;
  readonly fitness: Pick<Fitness, "confirm">;
}

/** The queues of one Redis, for one process. */
export interface QueueStores<Store extends QueueStore = QueueStore> {
  readonly client: RedisConnection;
  /** For texts that belong to no queue. */
  readonly codec: Codec;
  readonly layouts: Layouts;
  /** @param name of a queue, or of one of its partitions */
  of(name: string): Store;
  /** The partitions of these queues, as they are now. */
  partitionsOf(queues: readonly string[]): Store[];
}

/** Opens queues to read them and to act on their jobs. */
export function openQueueStores(
  access: RedisAccess,
  prefix: string,
  layouts: Layouts = new Layouts(),
): QueueStores {
  return storesOf(access, layouts, (queue) => openQueueStore(access, prefix, queue));
}

/** Opens queues to add jobs to them, and to begin effects. */
export function openWritableQueueStores(
  access: RedisAccess,
  prefix: string,
  epochs: { readonly layouts: Layouts; of(queue: string): Epoch },
  fitness: Pick<Fitness, "confirm">,
): QueueStores<WritableQueueStore> {
  return storesOf(access, epochs.layouts, (queue) => {
    if (queue === INTERNAL_QUEUE) epochs.of(queue);
    return {
      ...openQueueStore(access, prefix, queue),
      fitness,
      // Only when it is used: it is written to Redis and compared each second, and a reader's id can name any queue.
      get epoch() {
        return epochs.of(queue);
      },
    };
  });
}

/** Anybody can make up a job's id, and it names a queue. */
const KEPT_MAX = 10_000;

function storesOf<Store extends QueueStore>(
  { client, codec }: RedisAccess,
  layouts: Layouts,
  open: (queue: string) => Store,
): QueueStores<Store> {
  const stores = new Map<string, Store>();
  const of = (queue: string): Store => {
    const known = stores.get(queue);
    if (known !== undefined) return known;
    const store = open(queue);
    if (stores.size < KEPT_MAX) stores.set(queue, store);
    return store;
  };
  return {
    client,
    codec,
    layouts,
    of,
    partitionsOf: (queues) => queues.flatMap((queue) => partitionNames(queue, layouts.of(queue)).map(of)),
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
    encryptJson: (jobId, part, json) => codec.encryptJson(json, jobAssociatedData(jobId, part)),
    encryptValue: (jobId, part, value) => codec.encryptValue(value, jobAssociatedData(jobId, part)),
    decryptValue: (jobId, part, value) => codec.decryptValue(value, jobAssociatedData(jobId, part)),
  };
}
