import { hash } from "node:crypto";
import type { SubmitOptions } from "./submit-options.ts";

/** In code points. */
const KEY_LENGTH_MAX = 255;
const CONTROL = /\p{Cc}/u;

/** @returns what is wrong; undefined for 1 to 255 code points of well-formed Unicode without control characters */
export function keyFault(key: string): string | undefined {
  if (key.length === 0) return "expected at least one character";
  if (key.length > 2 * KEY_LENGTH_MAX || (key.length > KEY_LENGTH_MAX && [...key].length > KEY_LENGTH_MAX))
    return `expected at most ${KEY_LENGTH_MAX} characters`;
  if (!key.isWellFormed()) return "expected well-formed Unicode";
  if (CONTROL.test(key)) return "expected no control characters";
  return undefined;
}

/** How a handler submits the next job: its idempotency key is made of the running job's. */
export interface NextOptions extends Omit<SubmitOptions, "idempotencyKey"> {
  /** Distinguishes what one job submits of one type: 1 to 255 characters, and no slash. @default the submitted job's type */
  readonly name?: string;
}

/**
 * The idempotency key of a job that another job submits: `<type>:<key>/<name>`. If that is longer than 255 characters, it is
 * `<type>:sha256:<the SHA-256 of that text, 64 hexadecimal digits>`. Without a slash in the name, no two of them are the same.
 *
 * @param key of the job that runs, as its type
 */
export function nextKey(type: string, key: string, name: string): string {
  const whole = `${type}:${key}/${name}`;
  return [...whole].length > KEY_LENGTH_MAX ? `${type}:sha256:${hash("sha256", whole, "hex")}` : whole;
}

/** @returns what is wrong with the name of a job that another one submits */
export function nextNameFault(name: string): string | undefined {
  return name.includes("/") ? "expected no slash" : keyFault(name);
}
