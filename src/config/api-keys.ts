import { z } from "zod";

/** What a client that shows an API key may do. */
export type Scope = "submit" | "read" | "operate";

export const scopes: readonly Scope[] = ["submit", "read", "operate"];

/** One configured API key: only its SHA-256 is ever known to the service. */
export interface ApiKey {
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
  readonly sha256: Buffer;
}

/** Who asks, and what they may do. */
export interface Caller {
  /** The name of their key; null where the service asks for none. */
  readonly name: string | null;
  readonly scopes: readonly Scope[];
}

const entry = /^([^:]*):([^:]*):([0-9a-f]{64})$/;

/** A name that an API key can bear. */
export const apiKeyName = z.string().regex(/^[A-Za-z0-9._-]{1,64}$/);

/** Scopes as a person writes them, such as `submit+read`. */
export const scopeList = z
  .string()
  .transform((text) => text.split("+"))
  .pipe(z.array(z.enum(scopes)))
  .transform((listed): ReadonlySet<Scope> => new Set(listed));

const apiKey = z
  .string()
  .transform((text) => entry.exec(text.trim())?.slice(1) ?? [])
  .pipe(z.tuple([apiKeyName, scopeList, z.string()]))
  .transform(
    ([name, granted, digest]): ApiKey => ({ name, scopes: granted, sha256: Buffer.from(digest, "hex") }),
  );

/** `NAME:SCOPE+SCOPE:SHA256HEX`, comma-separated. */
export const apiKeys = z
  .string()
  .transform((value) => value.split(","))
  .pipe(z.array(apiKey))
  .default([]);

/** An entry as `apiKeys` reads it. */
export function apiKeyEntry({ name, scopes: granted, sha256 }: ApiKey): string {
  return `${name}:${[...granted].join("+")}:${sha256.toString("hex")}`;
}
