import { hash } from "node:crypto";

/**
 * The name under which a job type's idempotency key is claimed: a hash, so that no byte of a client's ever becomes
 * part of a key in the store.
 *
 * @returns 22 URL-safe characters, 128 bits
 */
export function dedupKeyOf(type: string, idempotencyKey: string): string {
  return digest(`${type}\0${idempotencyKey}`);
}

/**
 * The identity of one side effect, the same over attempts and duplicates.
 *
 * @param effect the effect's name, with its index where it has one
 * @returns 22 URL-safe characters, 128 bits
 */
export function effectKeyOf(claim: string, effect: string): string {
  return digest(`${claim}\0${effect}`);
}

function digest(text: string): string {
  return hash("sha256", text, "base64url").slice(0, 22);
}
