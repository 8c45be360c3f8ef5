import type { ErrorCode } from "../../platform/errors/error-codes.ts";

export interface Finding {
  /** What was checked, e.g. `appendfsync`. */
  readonly name: string;
  /** `bad`: a promise does not hold. `warn`: it holds, and somebody should look. */
  readonly verdict: "ok" | "warn" | "bad";
  readonly found: string;
  /** What it can lead to; null if all is well. */
  readonly reason: string | null;
  /** What to do about it; null if all is well. */
  readonly remedy: string | null;
  /** With which code work is refused because of it; null if all is well, or nothing is refused. */
  readonly code: ErrorCode | null;
}

export function ok(name: string, found: string): Finding {
  return { name, verdict: "ok", found, reason: null, remedy: null, code: null };
}

/** A finding with advice, unless all is well. */
export function finding(
  name: string,
  verdict: Finding["verdict"],
  found: string,
  advice: { readonly reason: string; readonly remedy: string; readonly code?: ErrorCode },
): Finding {
  return verdict === "ok" ? ok(name, found) : { name, verdict, found, code: null, ...advice };
}

/** Those that were found. */
export function findings(...found: readonly (Finding | readonly Finding[] | false | undefined)[]): Finding[] {
  return found.flat().filter((one) => one !== undefined && one !== false);
}

export function byLimits(
  value: number,
  limits: { readonly warn: number; readonly bad: number },
): Finding["verdict"] {
  if (value >= limits.bad) return "bad";
  return value >= limits.warn ? "warn" : "ok";
}
