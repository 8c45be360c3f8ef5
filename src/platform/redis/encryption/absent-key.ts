const ABSENT = ":absent";

/**
 * A key that never exists, in the slot of another.
 *
 * While a slot is moving, each of the two masters has some of its keys, and to a script the others look absent. But Redis refuses a
 * script with `TRYAGAIN` on both sides if one of the keys that it is given is missing, and this one always is.
 *
 * @returns undefined where the key has no hash tag: it belongs to no queue, and its scripts touch nothing else
 */
export function absentKey(key: string): string | undefined {
  const [start] = /^[^{]*\{[^}]+\}/.exec(key) ?? [];
  return start === undefined ? undefined : `${start}${ABSENT}`;
}

/** Whether these are the keys of a script that Redis refuses while their slot is moving. */
export function isGuarded(keys: readonly unknown[]): boolean {
  return String(keys.at(-1)).endsWith(ABSENT);
}
