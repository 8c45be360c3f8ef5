/** In code points. */
export const KEY_LENGTH_MAX = 255;
const CONTROL = /\p{Cc}/u;

/** @returns what is wrong; undefined for 1 to 255 code points of well-formed Unicode without control characters */
export function keyFault(key: string): string | undefined {
  if (key.length === 0) return "expected at least one character";
  if (key.length > 2 * KEY_LENGTH_MAX || [...key].length > KEY_LENGTH_MAX)
    return `expected at most ${KEY_LENGTH_MAX} characters`;
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
