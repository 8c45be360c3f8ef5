/** In code points. */
export const KEY_LENGTH_MAX = 255;
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
