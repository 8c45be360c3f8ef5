import { z } from "zod";

/** What an API key allows. */
export type Scope = "submit" | "read" | "operate" | "act";

export const scopes: readonly Scope[] = ["submit", "read", "operate", "act"];

/** One configured API key. The service knows only its SHA-256. */
export interface ApiKey {
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
  readonly sha256: Buffer;
}

/** Who sends a request, and what they may do. */
export interface Caller {
  /** The name of their key; null if the service needs none. */
  readonly name: string | null;
  readonly scopes: readonly Scope[];
}

const entry = /^([^:]*):([^:]*):([0-9a-f]{64})$/;

/** A valid name of an API key. */
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
