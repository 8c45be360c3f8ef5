import { hash } from "node:crypto";

const LENGTH_MAX = 255;
const CONTROL = /\p{Cc}/u;

/** @returns what is wrong; undefined for 1 to 255 code points of well-formed Unicode without control characters */
export function keyFault(key: string): string | undefined {
  if (key.length === 0) return "expected at least one character";
  if (key.length > 2 * LENGTH_MAX || [...key].length > LENGTH_MAX)
    return `expected at most ${LENGTH_MAX} characters`;
  if (!key.isWellFormed()) return "expected well-formed Unicode";
  if (CONTROL.test(key)) return "expected no control characters";
  return undefined;
}

/** How the keys of schedules begin. A client that could use them could keep a tick's job from being made. */
export const SCHEDULE_KEY_START = "schedule:";

/** @returns what is wrong with a key that somebody outside chose */
export function clientKeyFault(key: string): string | undefined {
  if (!key.startsWith(SCHEDULE_KEY_START)) return keyFault(key);
  return `expected a key that does not begin with "${SCHEDULE_KEY_START}": those are the ticks of schedules`;
}

/**
 * The idempotency key of a job that another job submits: `<type>:<key>/<name>`. If that is longer than 255 characters, it is
 * `<type>:sha256:<the SHA-256 of that text, 64 hexadecimal digits>`. Without a slash in the name, no two of them are the same.
 *
 * @param key of the job that runs, as its type
 */
export function nextKey(type: string, key: string, name: string): string {
  const whole = `${type}:${key}/${name}`;
  return [...whole].length > LENGTH_MAX ? `${type}:sha256:${hash("sha256", whole, "hex")}` : whole;
}

/** @returns what is wrong with the name of a job that another one submits */
export function nextNameFault(name: string): string | undefined {
  return name.includes("/") ? "expected no slash" : keyFault(name);
}
