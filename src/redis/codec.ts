import { createHmac, randomBytes } from "node:crypto";
import type { EncryptionKey } from "../config/encryption-keys.ts";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { NONCE_BYTES, type XaesGcm, xaesGcm } from "./xaes-gcm.ts";

/**
 * Keeps what jobs carry from whoever reads the store: texts are sealed in the last step before it and opened in the
 * first one after it. Without keys they lie there as they are, and sealing costs nothing.
 *
 * A sealed text says itself which key opens it: `hf1.<key id>.<base64url>`. It opens only at its own place, so that
 * nobody can move it to another job. Texts that are not sealed open as they are: jobs from before there were keys
 * stay readable.
 */
export interface Codec {
  encrypt(text: string, place: string): string;
  /** @throws HoldfastError `DECRYPTION_FAILED` where the key is not there, or the text is not what was sealed here */
  open(text: string, place: string): string;
  /** The same for any JSON value: it becomes a text. */
  encryptValue(value: unknown, place: string): unknown;
  /** @throws HoldfastError as `open` does */
  decryptValue(value: unknown, place: string): unknown;
  /**
   * The forms in which a name can lie in the store, first the one that new names get. Unlike other texts a name is sealed
   * to the same text each time, for it must be found again: whoever reads the store sees which names of a place are equal.
   */
  formsOf(name: string, place: string): readonly [string, ...string[]];
  /** Whether a text in the store is sealed as it would be if it were written now. */
  isCurrent(text: string): boolean;
}

interface Keyed {
  readonly id: string;
  readonly cipher: XaesGcm;
  readonly nonceOf: (name: string, place: string) => Buffer;
}

const SEALED = /^hf1\.([\w-]{1,32})\.([\w-]{54,})$/;

/** @param keys the first seals, all open */
export function createCodec(keys: readonly EncryptionKey[]): Codec {
  const all = keys.map(keyed);
  const [first] = all;
  const open = (text: string, place: string): string => {
    const [, id, body] = (text.startsWith("hf1.") && SEALED.exec(text)) || [];
    if (id === undefined || body === undefined) return text;
    const key = all.find((candidate) => candidate.id === id);
    if (key === undefined)
      throw unopened(`sealed with key "${id}", which HOLDFAST_ENCRYPTION_KEYS does not hold`);
    return decrypt(key, body, place);
  };
  return {
    encrypt: (text, place) =>
      first === undefined ? text : encrypt(first, text, place, randomBytes(NONCE_BYTES)),
    open,
    encryptValue(value, place) {
      if (first === undefined || value === undefined) return value;
      return encrypt(first, JSON.stringify(value), place, randomBytes(NONCE_BYTES));
    },
    decryptValue(value, place) {
      if (typeof value !== "string" || keyIdOf(value) === undefined) return value;
      return JSON.parse(open(value, place));
    },
    formsOf(name, place) {
      const [newest = name, ...older] = all.map((key) => encrypt(key, name, place, key.nonceOf(name, place)));
      return first === undefined ? [name] : [newest, ...older, name];
    },
    isCurrent: (text) => keyIdOf(text) === first?.id,
  };
}

/** Which key a text is sealed with; undefined where it is not sealed. */
export function keyIdOf(text: string): string | undefined {
  return text.startsWith("hf1.") ? SEALED.exec(text)?.[1] : undefined;
}

function keyed({ id, key }: EncryptionKey): Keyed {
  const nameKey = createHmac("sha256", key).update("holdfast: nonces of names").digest();
  return {
    id,
    cipher: xaesGcm(key),
    // Made from all that goes in, so that two different names never share one.
    nonceOf: (name, place) =>
      createHmac("sha256", nameKey).update(`${place}\0${name}`).digest().subarray(0, NONCE_BYTES),
  };
}

function encrypt({ id, cipher }: Keyed, text: string, place: string, nonce: Buffer): string {
  const encrypted = cipher.encrypt(nonce, Buffer.from(text), Buffer.from(place));
  return `hf1.${id}.${Buffer.concat([nonce, encrypted]).toString("base64url")}`;
}

function decrypt({ cipher }: Keyed, body: string, place: string): string {
  const bytes = Buffer.from(body, "base64url");
  try {
    const opened = cipher.decrypt(
      bytes.subarray(0, NONCE_BYTES),
      bytes.subarray(NONCE_BYTES),
      Buffer.from(place),
    );
    return opened.toString("utf8");
  } catch (cause) {
    throw unopened("changed since it was sealed, or moved from where it belongs", cause);
  }
}

function unopened(why: string, cause?: unknown): HoldfastError {
  return new HoldfastError("DECRYPTION_FAILED", `Cannot be decrypted: ${why}`, { cause });
}
