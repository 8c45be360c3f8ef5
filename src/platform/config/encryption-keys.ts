import { createSecretKey, type KeyObject } from "node:crypto";
import { z } from "zod";

/** Encrypts what Redis stores. A `KeyObject`, so that no log or error can show its bytes. */
export interface EncryptionKey {
  readonly id: string;
  readonly key: KeyObject;
}

export interface EncryptionKeys {
  /** All of them decrypt. */
  readonly all: readonly EncryptionKey[];
  /** Encrypts; undefined: nothing is encrypted. */
  readonly first: EncryptionKey | undefined;
}

/** In front of keys that only decrypt: nothing is encrypted yet, or no longer. */
const PLAIN = "plain";

const entry = /^([A-Za-z0-9_-]{1,32}):([A-Za-z0-9+/]{43}=)$/;

/** The first entry encrypts, all decrypt. */
export const encryptionKeysSchema = z
  .string()
  .transform((value) => value.split(",").map((text) => text.trim()))
  .transform((texts) => ({ isPlain: texts[0] === PLAIN, matches: texts.map((text) => entry.exec(text)) }))
  .transform(({ isPlain, matches }) => ({ isPlain, matches: isPlain ? matches.slice(1) : matches }))
  .refine(({ matches }) => matches.length > 0 && matches.every((match) => match !== null))
  .transform(({ isPlain, matches }): EncryptionKeys => {
    const all = matches.map((match) => keyOf(match?.[1], match?.[2]));
    return { all, first: isPlain ? undefined : all[0] };
  })
  .refine(({ all }) => new Set(all.map(({ id }) => id)).size === all.length)
  .default({ all: [], first: undefined });

function keyOf(id = "", base64 = ""): EncryptionKey {
  return { id, key: createSecretKey(Buffer.from(base64, "base64")) };
}
