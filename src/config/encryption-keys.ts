import { createSecretKey, type KeyObject } from "node:crypto";
import { z } from "zod";

/** Encrypts what Redis stores. A `KeyObject`, so that no log or error can show its bytes. */
export interface EncryptionKey {
  readonly id: string;
  readonly key: KeyObject;
}

const entry = /^([A-Za-z0-9_-]{1,32}):([A-Za-z0-9+/]{43}=)$/;

/** The first key encrypts, all decrypt. */
export const encryptionKeysSchema = z
  .string()
  .transform((value) => value.split(",").map((text) => entry.exec(text.trim())))
  .pipe(z.array(z.custom<RegExpExecArray>((match) => match !== null)))
  .transform((matches) =>
    matches.map(
      ([, id = "", base64 = ""]): EncryptionKey => ({
        id,
        key: createSecretKey(Buffer.from(base64, "base64")),
      }),
    ),
  )
  .refine((keys) => new Set(keys.map(({ id }) => id)).size === keys.length)
  .default([]);
