import type { Verdict } from "./judge.ts";

/** Something that was sent and answered as it must not be. */
export interface Finding {
  readonly kind: string;
  readonly what: string;
  /** The bytes, as a person can send them again. */
  readonly request: string;
}

/** What was tried of one kind, and how it was answered. */
export interface Tally {
  readonly group: string;
  readonly kind: string;
  tried: number;
  readonly codes: Map<string, number>;
  slowestMs: number;
  /** Keys that the store held more than before; undefined where other requests came at the same time. */
  stored: number | undefined;
}

export function newTally(group: string, kind: string): Tally {
  return { group, kind, tried: 0, codes: new Map(), slowestMs: 0, stored: undefined };
}

export function count(tally: Tally, { codes }: Verdict, ms: number): void {
  tally.tried += 1;
  tally.slowestMs = Math.max(tally.slowestMs, ms);
  for (const code of codes) tally.codes.set(code, (tally.codes.get(code) ?? 0) + 1);
}

export function codesOf({ codes }: Tally): string {
  return [...codes]
    .sort(([, a], [, b]) => b - a)
    .map(([code, times]) => `${code} ${times}`)
    .join(", ");
}
