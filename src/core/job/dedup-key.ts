import { hash } from "node:crypto";

/**
 * The deduplication key of a type's idempotency key. It is a hash, so no client's text becomes part of a Redis key.
 *
 * @returns 22 URL-safe characters, 128 bits
 */
export function dedupKeyOf(type: string, idempotencyKey: string): string {
  return digest(`${type}\0${idempotencyKey}`);
}

/**
 * The identity of one side effect, the same for every attempt and duplicate.
 *
 * @param effect the effect's name, with its index where it has one
 * @returns 22 URL-safe characters, 128 bits
 */
export function effectKeyOf(dedupKey: string, effect: string): string {
  return digest(`${dedupKey}\0${effect}`);
}

function digest(text: string): string {
  return hash("sha256", text, "base64url").slice(0, 22);
}

/** Keyed with a secret of the queue. Returns that many hexadecimal digits; other purposes have other hashes. */
export type KeyedHash = (purpose: string, text: string, digits: number) => string;
