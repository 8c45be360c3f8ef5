import { isMadeWord } from "../attempt-errors.ts";
import { errorTree } from "../error-tree.ts";

/** Errors that have left an effect, with its key: whoever gets one later did not say it. */
const left = new WeakMap<object, string>();
/** Errors with which an effect knows by itself that it did not happen, with its key. */
const vouched = new WeakMap<object, string>();

/**
 * Notes that an error leaves an effect, for whichever caller: the first, one that joined it, or a later one that kept it.
 *
 * @param key the effect's
 */
export function leavesEffect(error: unknown, key: string): void {
  if (typeof error !== "object" || error === null) return;
  const words = errorTree(error).filter(isMadeWord);
  for (const one of [error, ...words]) if (!left.has(one)) left.set(one, key);
}

/** Says for the effect with this key that it did not happen, whatever the error means elsewhere. */
export function vouchNotDone(error: unknown, key: string): void {
  if (typeof error === "object" && error !== null) vouched.set(error, key);
}

/** Whether an error says in this effect's own name that it did not happen. */
export function isOwnWord(error: unknown, key: string): boolean {
  if (typeof error !== "object" || error === null) return false;
  if (vouched.get(error) === key) return true;
  return isMadeWord(error) && (left.get(error) ?? key) === key;
}

/** Whether an error, or what it wraps, has left another effect before. */
export function isOfAnotherEffect(error: unknown, key: string): boolean {
  return errorTree(error).some((node) => (left.get(node) ?? key) !== key);
}
