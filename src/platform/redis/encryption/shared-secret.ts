import { randomBytes } from "node:crypto";
import type { RedisAccess } from "../connect.ts";
import { inTime } from "../redis-errors.ts";
import { okReply } from "../reply-shape.ts";
import { loadDeclaringScript } from "../script.ts";

/** The secret that keys content fingerprints. */
export function fingerprintSecretKey(prefix: string): string {
  return `${prefix}:fingerprint-secret`;
}

/** The secret that all processes of one Redis share. */
export interface SharedSecret {
  /** The secret, if it is known without a read. */
  known(): string | undefined;
  /** @throws HoldfastError `STORE_UNAVAILABLE`, `DECRYPTION_FAILED` */
  get(): Promise<string>;
  /** Redis may have lost it: the processes agree on one again. */
  offerAgain(): void;
  /** Stores it as this process stores texts now, if it is there: the key that encrypted it may be removed later. */
  renew(): Promise<void>;
}

/** What each encrypted copy of a secret is bound to. */
export const sharedSecretAssociatedData = "fingerprint secret";

const replace = loadDeclaringScript(import.meta.url, "replace.lua", okReply);

/**
 * Reads the secret that the first process stored. It is encrypted with the first encryption key there is, and never changes.
 *
 * Its owner offers it again after each reconnect: if Redis has lost it, all processes agree on one.
 *
 * @param key where it is stored
 * @param find returns the secret if it is not stored there @default a new one
 */
export function openSharedSecret(
  { client, codec }: RedisAccess,
  key: string,
  find: () => Promise<string> = async () => newSecret(),
): SharedSecret {
  let latest: string | undefined;
  let reading: Promise<string> | undefined;
  let known: string | undefined;
  const offerAgain = () => {
    reading = undefined;
    known = undefined;
  };

  /** @returns what is stored then, encrypted: somebody else's, if that came first */
  async function offer(secret: string): Promise<string> {
    const encrypted = codec.encrypt(secret, sharedSecretAssociatedData);
    return (await client.set(key, encrypted, "NX", "GET")) ?? encrypted;
  }

  async function read(): Promise<string> {
    const found = (await client.get(key)) ?? (await offer(latest ?? (await find())));
    latest = codec.decrypt(found, sharedSecretAssociatedData);
    if (!codec.isCurrent(found))
      await replace.run(client, [key], [found, codec.encrypt(latest, sharedSecretAssociatedData)]);
    known = latest;
    return latest;
  }

  function get(): Promise<string> {
    reading ??= inTime(read()).catch((error: unknown) => {
      offerAgain();
      throw error;
    });
    return reading;
  }

  return {
    known: () => known,
    offerAgain,
    async renew() {
      const found = await client.get(key);
      if (found !== null && !codec.isCurrent(found)) await get();
    },
    get,
  };
}

export function newSecret(): string {
  return randomBytes(32).toString("base64url");
}
