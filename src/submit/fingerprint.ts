import { hash, randomBytes } from "node:crypto";
import { fingerprintSecretAssociatedData as place } from "../redis/associated-data.ts";
import type { Codec } from "../redis/codec.ts";
import type { RedisConnection } from "../redis/connection.ts";
import { fingerprintSecretKey } from "../redis/keys.ts";
import { inTime } from "../redis/redis-errors.ts";
import { loadScript } from "../redis/script.ts";

/**
 * Tells equal content from other content.
 *
 * Keyed, because it is part of the job id and so travels far: without the secret nobody can test guesses of a payload
 * against it. The claim is hashed in, so that equal payloads under different keys look unrelated. A secret in front is
 * key enough here, and half the price of an HMAC: what HMAC adds is that nobody can extend a digest, and of this one
 * nobody sees more than a fifth.
 *
 * @returns 12 hexadecimal digits, 48 bits
 */
export function fingerprintOf(secret: string, dedupKey: string, content: string): string {
  return hash("sha256", `${secret}\0${dedupKey}\0${content}`, "hex").slice(0, 12);
}

/** The secret shared by all producers of one store. */
export interface FingerprintSecret {
  /** What it is, where that is known without asking the store. */
  known(): string | undefined;
  /** @throws HoldfastError `STORE_UNAVAILABLE`, `DECRYPTION_FAILED` */
  get(): Promise<string>;
  /** The store may have lost it: all producers are to agree on one anew. */
  offerAgain(): void;
}

const reencrypt = loadScript(import.meta.url, "reseal.lua");

/**
 * Reads the secret from the store, where the first producer puts it; sealed, as long as there are encryption keys, by
 * whichever of them is the first now. The secret itself never changes: keys keep matching through all of that.
 *
 * After each reconnect it is offered again: if the store has lost it meanwhile, all producers agree on one anew.
 */
export function fingerprintSecret(client: RedisConnection, prefix: string, codec: Codec): FingerprintSecret {
  const key = fingerprintSecretKey(prefix);
  let held: string | undefined;
  let reading: Promise<string> | undefined;
  let known: string | undefined;
  const forget = () => {
    reading = undefined;
    known = undefined;
  };
  client.on("ready", forget);
  const read = async () => {
    const offered = held ?? randomBytes(32).toString("base64url");
    const found = await client.set(key, codec.encrypt(offered, place), "NX", "GET");
    held = found === null ? offered : codec.decrypt(found, place);
    if (found !== null && !codec.isCurrent(found))
      await reencrypt.run(client, [key], [found, codec.encrypt(held, place)]);
    known = held;
    return held;
  };
  return {
    known: () => known,
    offerAgain: forget,
    get() {
      reading ??= inTime(read()).catch((error: unknown) => {
        forget();
        throw error;
      });
      return reading;
    },
  };
}
