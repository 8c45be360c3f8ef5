import type { Mutant } from "./places.ts";

/** What the code under exploration is other than as it ships; nothing, unless it was loaded with `noting.ts`. */
export const mutation = {
  all: [] as readonly Mutant[],
  active: undefined as Mutant | undefined,
  /** What conditions were: each place's id with true or false. */
  seen: new Set<string>(),
  /** What no code has handled, and nobody answers for. */
  escaped: [] as unknown[],
  /** Of a condition in TypeScript. */
  noted<T>(id: string, value: T): T | boolean {
    if (mutation.active?.id === id) return mutation.active.becomes === "true";
    mutation.seen.add(`${id} ${Boolean(value)}`);
    return value;
  },
};

/** What is noted where the code goes on otherwise with this mutant. */
export function differsAt({ id, becomes }: Mutant): string {
  return `${id} ${becomes !== "true"}`;
}
