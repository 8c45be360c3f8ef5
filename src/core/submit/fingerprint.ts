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

/** Keyed for the same reason. */
export function keyedHash(secret: string, purpose: string, text: string, digits: number): string {
  return hash("sha256", `${secret}\0${purpose}\0${text}`, "hex").slice(0, digits);
}
