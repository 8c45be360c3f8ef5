import { createHmac, randomBytes } from "node:crypto";
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import type { EncryptionKey } from "../../config/encryption-keys.ts";

/** Encrypts with one key. Encrypted texts are base64url. */
export interface Cipher {
  /** The key's id. */
  readonly id: string;
  encrypt(text: string, associatedData: string): string;
  /** Encrypts to the same text each time: a name must be found again. */
  encryptName(name: string, associatedData: string): string;
  /** @throws Error where text, associated data or key are not those of the encryption */
  decrypt(encrypted: string, associatedData: string): string;
}

/** XChaCha20-Poly1305's: long enough to be random for every text that a key will ever encrypt. */
const NONCE_BYTES = 24;

export function createCipher({ id, key }: EncryptionKey): Cipher {
  const bytes = key.export();
  const nameKey = createHmac("sha256", bytes).update("holdfast: nonces of names").digest();

  function encryptWith(text: string, associatedData: string, nonce: Buffer): string {
    const cipher = xchacha20poly1305(bytes, nonce, Buffer.from(associatedData));
    return Buffer.concat([nonce, cipher.encrypt(Buffer.from(text))]).toString("base64url");
  }

  return {
    id,
    encrypt: (text, associatedData) => encryptWith(text, associatedData, randomBytes(NONCE_BYTES)),
    encryptName(name, associatedData) {
      // Derived from all that goes in: two different names never share a nonce.
      const digest = createHmac("sha256", nameKey).update(`${associatedData}\0${name}`).digest();
      return encryptWith(name, associatedData, digest.subarray(0, NONCE_BYTES));
    },
    decrypt(encrypted, associatedData) {
      const text = Buffer.from(encrypted, "base64url");
      const nonce = text.subarray(0, NONCE_BYTES);
      const cipher = xchacha20poly1305(bytes, nonce, Buffer.from(associatedData));
      return Buffer.from(cipher.decrypt(text.subarray(NONCE_BYTES))).toString("utf8");
    },
  };
}
