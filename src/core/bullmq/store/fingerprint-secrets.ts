import type { RedisAccess } from "../../../platform/redis/connect.ts";
import {
  fingerprintSecretKey,
  newSecret,
  openSharedSecret,
  type SharedSecret,
  sharedSecretAssociatedData,
} from "../../../platform/redis/encryption/shared-secret.ts";
import { queueKeys } from "./queue-keys.ts";
import type { QueueStore } from "./queue-store.ts";

/** The secret that keys the fingerprints of each queue: the same for all, unless Redis once lost it. */
export interface FingerprintSecrets {
  of(queue: string): SharedSecret;
  /** Redis may have lost some. */
  offerAgain(): void;
  /** Stores all of them as this process stores texts now: a queue may get no submission while a key is replaced. */
  renew(): Promise<void>;
}

/**
 * Each queue has a copy beside its keys. In a cluster the two can only be lost together, so a repeated key never looks used for
 * other content. If one of them is lost, it is copied again from the other.
 */
export function openFingerprintSecrets(
  access: RedisAccess,
  prefix: string,
  queues: readonly string[],
): FingerprintSecrets {
  const common = openCommonSecret(access, prefix, queues);
  const copies = new Map<string, SharedSecret>();
  const of = (queue: string): SharedSecret => {
    const known = copies.get(queue);
    if (known !== undefined) return known;
    const opened = open(queue);
    copies.set(queue, opened);
    return opened;
  };
  const open = (queue: string): SharedSecret => {
    const copy = openSharedSecret(access, queueKeys(prefix, queue).fingerprintSecret, common.get);
    return {
      ...copy,
      get() {
        // So that it is stored again if it was lost; the queue's own is enough for a submission.
        common.get().catch(() => {});
        return copy.get();
      },
    };
  };
  const offerCopiesAgain = () => {
    for (const secret of copies.values()) secret.offerAgain();
  };
  // One listener for all queues: Node.js warns of more than ten.
  access.client.on("ready", offerCopiesAgain);
  return {
    of,
    async renew() {
      await Promise.all([common, ...queues.map(of)].map((secret) => secret.renew()));
    },
    offerAgain() {
      common.offerAgain();
      offerCopiesAgain();
    },
  };
}

/** The secret of a queue, for who only reads; undefined before the queue's first submission. @param store of the queue, not of a partition */
export async function readFingerprintSecret({
  client,
  codec,
  keys,
}: Pick<QueueStore, "client" | "codec" | "keys">): Promise<string | undefined> {
  const copy = await client.get(keys.fingerprintSecret);
  return copy === null ? undefined : codec.decrypt(copy, sharedSecretAssociatedData);
}

/** The secret that belongs to no queue. If Redis has lost it, it is restored from a queue's copy. */
export function openCommonSecret(
  access: RedisAccess,
  prefix: string,
  queues: readonly string[],
): SharedSecret {
  const secret = openSharedSecret(access, fingerprintSecretKey(prefix), async () => {
    const keys = queues.map((queue) => queueKeys(prefix, queue).fingerprintSecret);
    const copies = await Promise.all(keys.map((key) => access.client.get(key)));
    const copy = copies.find((text) => text !== null);
    return copy == null ? newSecret() : access.codec.decrypt(copy, sharedSecretAssociatedData);
  });
  access.client.on("ready", secret.offerAgain);
  return secret;
}
