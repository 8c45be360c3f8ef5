import { type Cipher, createCipheriv, createDecipheriv, type KeyObject } from "node:crypto";

/** AES-256-GCM with nonces of 24 bytes, under one key. */
export interface XaesGcm {
  /** @returns the encrypted text, then 16 bytes by which a change of it is noticed */
  encrypt(nonce: Buffer, text: Buffer, context: Buffer): Buffer;
  /** @throws whatever Node.js throws where text, context, nonce or key are not those of the encryption */
  decrypt(nonce: Buffer, encrypted: Buffer, context: Buffer): Buffer;
}

export const NONCE_BYTES = 24;
const TAG_BYTES = 16;
const BLOCK_BYTES = 16;

/**
 * XAES-256-GCM as https://c2sp.org/XAES-256-GCM specifies it: half of the nonce makes a key for the message, the other
 * half is AES-GCM's own nonce.
 *
 * AES-GCM's random nonces are short: after 2³² messages, which a busy queue writes in a day, one key should be
 * given up. With 24 bytes that bound lies at 2⁸⁰.
 */
export function xaesGcm(key: KeyObject): XaesGcm {
  // Each block by itself, so that one cipher serves for good.
  const blocks = createCipheriv("aes-256-ecb", key, null).setAutoPadding(false);
  const mask = cmacMask(blocks);
  const messageKey = (nonce: Buffer): Buffer => {
    const input = Buffer.alloc(2 * BLOCK_BYTES);
    for (const counter of [1, 2]) {
      const block = input.subarray((counter - 1) * BLOCK_BYTES, counter * BLOCK_BYTES);
      block.set([0, counter, 0x58, 0]);
      block.set(nonce.subarray(0, 12), 4);
      for (let at = 0; at < BLOCK_BYTES; at += 1) block[at] = (block[at] ?? 0) ^ (mask[at] ?? 0);
    }
    return blocks.update(input);
  };
  return {
    encrypt(nonce, text, context) {
      const cipher = createCipheriv("aes-256-gcm", messageKey(nonce), nonce.subarray(12)).setAAD(context);
      return Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]);
    },
    decrypt(nonce, encrypted, context) {
      const end = encrypted.length - TAG_BYTES;
      const decipher = createDecipheriv("aes-256-gcm", messageKey(nonce), nonce.subarray(12), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(context).setAuthTag(encrypted.subarray(end));
      return Buffer.concat([decipher.update(encrypted.subarray(0, end)), decipher.final()]);
    },
  };
}

/** What CMAC adds to a message of one block: the encrypted zero, doubled in GF(2¹²⁸). */
function cmacMask(blocks: Cipher): Buffer {
  const zero = blocks.update(Buffer.alloc(BLOCK_BYTES));
  const doubled = (BigInt(`0x${zero.toString("hex")}`) << 1n) ^ ((zero[0] ?? 0) >= 0x80 ? 0x87n : 0n);
  return Buffer.from(BigInt.asUintN(128, doubled).toString(16).padStart(32, "0"), "hex");
}
