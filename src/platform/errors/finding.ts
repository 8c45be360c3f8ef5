import { z } from "zod";
import type { ErrorCode } from "./error-codes.ts";

export const findingSchema = z.object({
  name: z.string().meta({ description: "What was checked, e.g. `appendfsync`." }),
  verdict: z
    .enum(["ok", "warn", "bad"])
    .meta({ description: "`bad`: a promise does not hold. `warn`: it holds, and somebody should look." }),
  found: z.string(),
  reason: z.string().nullable().meta({ description: "What it can lead to; null if all is well." }),
  remedy: z.string().nullable().meta({ description: "What to do about it; null if all is well." }),
  code: z.string().nullable().meta({
    description: "With which code work is refused because of it; null if nothing is refused.",
  }),
});
export type Finding = Readonly<Omit<z.output<typeof findingSchema>, "code">> & {
  readonly code: ErrorCode | null;
};

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
