import type { Classify } from "../core/job/effect.ts";

/**
 * Asks classifiers in turn; the first that recognises the error decides.
 *
 * @example combine(stripe, http)
 */
export function combine(first: Classify, ...others: readonly Classify[]): Classify {
  return (error, seen) => {
    for (const classify of [first, ...others]) {
      const verdict = classify(error, seen);
      if (verdict !== undefined) return verdict;
    }
    return undefined;
  };
}
