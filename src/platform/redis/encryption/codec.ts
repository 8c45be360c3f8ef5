import type { EncryptionKeys } from "../../config/encryption-keys.ts";
import { HoldfastError } from "../../errors/holdfast-error.ts";
import type { Cipher } from "./cipher.ts";

/**
 * Encrypts what jobs carry right before it goes to Redis, and decrypts it right after it comes back. Without keys texts stay
 * as they are.
 *
 * An encrypted text names its key: `hf1.<key id>.<base64url>`. It decrypts only with the associated data that it was encrypted
 * for, so that nobody can move it to another job. A plain text decrypts to itself: jobs from before there were keys stay
 * readable.
 */
export interface Codec {
  encrypt(text: string, associatedData: string): string;
  /** @throws HoldfastError `DECRYPTION_FAILED` without the key, or where the text is not what was encrypted here */
  decrypt(text: string, associatedData: string): string;
  /** The same for the JSON of any value. Encrypted, it is the JSON of a text. */
  encryptJson(json: string, associatedData: string): string;
  /** The same for any JSON value. Encrypted, it is a text. */
  encryptValue(value: unknown, associatedData: string): unknown;
  /** @throws HoldfastError as `decrypt` does */
  decryptValue(value: unknown, associatedData: string): unknown;
  /**
   * All forms in which a name can be stored, first the one that new names get. A name is encrypted to the same text each time,
   * so a reader of Redis sees which names are equal.
   */
  formsOf(name: string, associatedData: string): readonly [string, ...string[]];
  /** The ids of its keys. */
  readonly keyIds: readonly string[];
  /** Whether a stored text has the form that it would get now. */
  isCurrent(text: string): boolean;
}

/** A plain text that reads like an encrypted one is marked, so that nobody tries to decrypt it. */
const PLAIN = "hf0.";
const LOOKS_ENCRYPTED = /^(?:hf0\.)*hf1\.[\w-]{1,32}\.[\w-]{54,}$/;
const MARKED_PLAIN = /^(?:hf0\.)+hf1\.[\w-]{1,32}\.[\w-]{54,}$/;
const ENCRYPTED = /^hf1\.([\w-]{1,32})\.([\w-]{54,})$/;

/** The cipher is loaded only where there are keys. */
export async function openCodec({ all, first }: EncryptionKeys): Promise<Codec> {
  if (all.length === 0) return createCodec([]);
  const { createCipher } = await import("./cipher.ts");
  return createCodec(all.map(createCipher), { encrypts: first !== undefined });
}

/** @param ciphers all decrypt, and the first encrypts, unless nothing does */
export function createCodec(ciphers: readonly Cipher[], { encrypts = true } = {}): Codec {
  const first = encrypts ? ciphers[0] : undefined;
  const encrypt = (text: string, associatedData: string) =>
    first === undefined ? marked(text) : `hf1.${first.id}.${first.encrypt(text, associatedData)}`;

  function decrypt(text: string, associatedData: string): string {
    const [, id, body] = (text.startsWith("hf1.") && ENCRYPTED.exec(text)) || [];
    if (id === undefined || body === undefined) return unmarked(text);
    const cipher = ciphers.find((candidate) => candidate.id === id);
    if (cipher === undefined) throw keyMissing(id);
    try {
      return cipher.decrypt(body, associatedData);
    } catch (cause) {
      throw failed("changed since it was encrypted, or moved from where it belongs", cause);
    }
  }

  return {
    encrypt,
    decrypt,
    encryptJson: (json, associatedData) =>
      first === undefined ? json : JSON.stringify(encrypt(json, associatedData)),
    encryptValue(value, associatedData) {
      if (first === undefined) return typeof value === "string" ? marked(value) : value;
      if (value === undefined) return value;
      return encrypt(JSON.stringify(value), associatedData);
    },
    decryptValue(value, associatedData) {
      if (typeof value !== "string") return value;
      if (keyIdOf(value) === undefined) return unmarked(value);
      return JSON.parse(decrypt(value, associatedData));
    },
    formsOf(name, associatedData) {
      const forms = ciphers.map((cipher) => `hf1.${cipher.id}.${cipher.encryptName(name, associatedData)}`);
      const [newest = name, ...older] = forms;
      return first === undefined ? [name, ...forms] : [newest, ...older, name];
    },
    keyIds: ciphers.map(({ id }) => id),
    isCurrent: (text) => keyIdOf(text) === first?.id,
  };
}

function marked(text: string): string {
  return text.startsWith("hf") && LOOKS_ENCRYPTED.test(text) ? PLAIN + text : text;
}

function unmarked(text: string): string {
  return text.startsWith(PLAIN) && MARKED_PLAIN.test(text) ? text.slice(PLAIN.length) : text;
}

/** Returns the id of the key that a text is encrypted with; undefined for a plain text. */
export function keyIdOf(text: string): string | undefined {
  return text.startsWith("hf1.") ? ENCRYPTED.exec(text)?.[1] : undefined;
}

/** Another process may have it. */
const KEY_MISSING_RETRY_AFTER_MS = 10_000;

/** @param id of a key that this process does not have */
export function keyMissing(id: string): HoldfastError {
  const message = `Cannot be decrypted: encrypted with key "${id}", which HOLDFAST_ENCRYPTION_KEYS does not hold`;
  return new HoldfastError("DECRYPTION_FAILED", message, { retryAfterMs: KEY_MISSING_RETRY_AFTER_MS });
}

function failed(why: string, cause?: unknown): HoldfastError {
  return new HoldfastError("DECRYPTION_FAILED", `Cannot be decrypted: ${why}`, { cause });
}
