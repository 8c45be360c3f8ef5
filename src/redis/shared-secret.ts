import { randomBytes } from "node:crypto";
import { fingerprintSecretAssociatedData as associatedData } from "./associated-data.ts";
import type { RedisAccess } from "./connect.ts";
import { fingerprintSecretKey } from "./keys.ts";
import { inTime } from "./redis-errors.ts";
import { loadDeclaringScript } from "./script.ts";

/** The secret that all processes of one Redis share. */
export interface SharedSecret {
  /** The secret, if it is known without a read. */
  known(): string | undefined;
  /** @throws HoldfastError `STORE_UNAVAILABLE`, `DECRYPTION_FAILED` */
  get(): Promise<string>;
  /** Redis may have lost it: the processes agree on one again. */
  offerAgain(): void;
}

const replace = loadDeclaringScript(import.meta.url, "replace.lua");

/**
 * Reads the secret that the first process stored. It is encrypted with the first encryption key there is, and never changes.
 *
 * It is offered again after each reconnect: if Redis has lost it, all processes agree on one.
 */
export function openSharedSecret({ client, codec }: RedisAccess, prefix: string): SharedSecret {
  const key = fingerprintSecretKey(prefix);
  let latest: string | undefined;
  let reading: Promise<string> | undefined;
  let known: string | undefined;
  const offerAgain = () => {
    reading = undefined;
    known = undefined;
  };
  client.on("ready", offerAgain);

  async function read(): Promise<string> {
    const offered = latest ?? randomBytes(32).toString("base64url");
    const found = await client.set(key, codec.encrypt(offered, associatedData), "NX", "GET");
    latest = found === null ? offered : codec.decrypt(found, associatedData);
    if (found !== null && !codec.isCurrent(found))
      await replace.run(client, [key], [found, codec.encrypt(latest, associatedData)]);
    known = latest;
    return latest;
  }

  return {
    known: () => known,
    offerAgain,
    get() {
      reading ??= inTime(read()).catch((error: unknown) => {
        offerAgain();
        throw error;
      });
      return reading;
    },
  };
}
