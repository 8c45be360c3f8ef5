import { hash, randomBytes } from "node:crypto";
import type { StoreClient } from "../store/client.ts";
import { inTime } from "../store/fault.ts";
import { fingerprintSecretKey } from "../store/keys.ts";

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
export function fingerprintOf(secret: string, claim: string, content: string): string {
  return hash("sha256", `${secret}\0${claim}\0${content}`, "hex").slice(0, 12);
}

/** The secret shared by all producers of one store. */
export interface FingerprintSecret {
  /** @throws HoldfastError `STORE_UNAVAILABLE` */
  get(): Promise<string>;
}

/**
 * Reads the secret from the store, where the first producer puts it.
 *
 * After each reconnect it is offered again: if the store has lost it meanwhile, all producers agree on one anew.
 */
export function fingerprintSecret(client: StoreClient, prefix: string): FingerprintSecret {
  let held: string | undefined;
  let reading: Promise<string> | undefined;
  client.on("ready", () => {
    reading = undefined;
  });
  const read = async () => {
    const offered = held ?? randomBytes(32).toString("base64url");
    held = (await client.set(fingerprintSecretKey(prefix), offered, "NX", "GET")) ?? offered;
    return held;
  };
  return {
    get() {
      reading ??= inTime(read()).catch((error: unknown) => {
        reading = undefined;
        throw error;
      });
      return reading;
    },
  };
}
