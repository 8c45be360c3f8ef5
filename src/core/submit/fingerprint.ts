import { hash } from "node:crypto";

/**
 * Distinguishes equal content from other content.
 *
 * Keyed with a secret, since it is part of the job id and travels far: nobody can test guesses of a payload against it. The
 * deduplication key is hashed in, so equal payloads under different keys look unrelated. A secret prefix is enough: HMAC
 * protects whole digests, and this is a fifth of one.
 *
 * @returns 12 hexadecimal digits, 48 bits
 */
export function fingerprintOf(secret: string, dedupKey: string, content: string): string {
  return hash("sha256", `${secret}\0${dedupKey}\0${content}`, "hex").slice(0, 12);
}

/** Keyed for the same reason. Jobs of all types in a queue share its tenants. 64 bits: a collision costs two tenants a share. */
export function tenantHashOf(secret: string, tenant: string): string {
  return hash("sha256", `${secret}\0tenant\0${tenant}`, "hex").slice(0, 16);
}

/** Keyed for the same reason. 96 bits: a collision would let two keys share a limit. */
export function laneHashOf(secret: string, key: string): string {
  return hash("sha256", `${secret}\0lane\0${key}`, "hex").slice(0, 24);
}
