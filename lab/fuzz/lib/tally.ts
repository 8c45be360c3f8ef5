import type { Verdict } from "./judge.ts";

/** Input that was answered wrongly. */
export interface Finding {
  readonly kind: string;
  readonly what: string;
  /** The bytes, so that a person can send them again. */
  readonly request: string;
}

/** Results for one kind. */
export interface Tally {
  readonly group: string;
  readonly kind: string;
  tried: number;
  readonly codes: Map<string, number>;
  slowestMs: number;
  /** Keys added to Redis; undefined if other requests ran at the same time. */
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
